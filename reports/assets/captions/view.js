// The table of all captions: a bounded part of the rows in the document, with search, filters, order, pages, columns and links.

const inShort = (value) => (value === null ? "–" : value.toFixed(Math.abs(value) < 10 ? 4 : Math.abs(value) < 1000 ? 1 : 0));
/** The address of an image in this page. */
const linkTo = (id) => `#id=${encodeURIComponent(id)}`;

class CaptionView {
  constructor(host, model, thumbnails) {
    this.host = host;
    this.model = model;
    this.thumbnails = thumbnails;
    this.several = model.systems.length > 1;
    this.measure = model.measures[0];
    this.columns = this.allColumns();
    const crowded = this.several ? 4 : Infinity;
    this.hidden = new Set(this.columns.filter((column) => column.optional || column.system >= crowded).map((column) => column.key));
    this.state = {
      query: "", groups: {}, finding: "", from: null, to: null, winner: "", alike: "", a: 0, b: 1,
      measure: this.measure, sort: this.firstOrder(), descending: this.measure !== undefined, page: 0, perPage: 50,
    };
    this.build();
    this.update();
  }

  /** Worst first; of several systems where the second is ahead of the first by most. */
  firstOrder() {
    if (this.measure === undefined) return "id";
    return this.several ? `lead:1:0:${this.measure}` : `number:0:${this.measure}`;
  }

  allColumns() {
    const { model } = this;
    const columns = [];
    if (Object.keys(this.thumbnails).length > 0) columns.push({ key: "image", name: "image", cell: (row) => this.picture(row) });
    columns.push({ key: "id", name: "id", order: "id", cell: (row) => this.link(row) });
    if (!this.several) columns.push({ key: "caption", name: "caption", wide: true, cell: (row) => model.systems[0].captions[row] || "(empty)" });
    else
      model.systems.forEach((system, at) =>
        columns.push({ key: `system:${at}`, name: system.name, wide: true, system: at, cell: (row) => this.beside(at, row) }),
      );
    if (model.references.length > 0) columns.push({ key: "references", name: "references", wide: true, cell: (row) => this.list(model.references[row]) });
    if (!this.several)
      model.systems[0].numbers.forEach((column, at) =>
        columns.push({
          key: `number:${column.name}`, name: column.label, order: `number:0:${column.name}`, number: true, optional: at > 3,
          cell: (row) => inShort(column.values[row]),
        }),
      );
    if (model.kinds.length > 0)
      columns.push({ key: "findings", name: "findings", cell: (row) => this.list([...new Set(model.findings.flatMap((of) => of.get(row) ?? []))]) });
    for (const name of Object.keys(model.groups)) columns.push({ key: `group:${name}`, name, order: `group:${name}`, cell: (row) => model.groups[name][row] });
    if (!this.several) columns.push({ key: "row", name: "row", order: "row", number: true, optional: true, cell: (row) => grouped(model.systems[0].rows[row]) });
    return columns;
  }

  picture(row) {
    const id = this.model.table.ids[row];
    const src = this.thumbnails[id];
    if (!src) return "";
    const image = make("img", { src, alt: `Image ${id}`, loading: "lazy" });
    return make("a", { href: linkTo(id), class: "thumbnail" }, image);
  }

  link(row) {
    const id = this.model.table.ids[row];
    return make("a", { href: linkTo(id) }, id);
  }

  list(texts) {
    if (texts.length < 2) return texts[0] ?? "";
    return make("ul", {}, ...texts.map((text) => make("li", {}, text)));
  }

  /** A system's caption beside the others: the words that the compared one lacks are marked, and its number stands below. */
  beside(system, row) {
    const { a, b, measure } = this.state;
    const other = system === a ? b : a;
    const text = this.model.systems[system].captions[row];
    const words = differingWords(text, this.model.systems[other].captions[row]);
    const shown = words.flatMap(([word, differs]) => [differs ? make("mark", {}, word) : word, " "]);
    if (measure === undefined) return make("div", {}, ...shown);
    const value = this.model.column(system, measure);
    const best = [a, b].includes(system) && this.model.lead(measure, system, system === a ? b : a)(row) > 0;
    const number = make("span", { class: best ? "measure best" : "measure" }, `${inShort(value.values[row])}${best ? " ✓" : ""}`);
    return make("div", {}, make("div", {}, ...(words.length > 0 ? shown : ["(empty)"])), number);
  }

  build() {
    this.search = make("input", { type: "search", placeholder: "words, or \"a phrase\"", oninput: () => this.change({ query: this.search.value }) });
    this.filters = make("div", { class: "filters" });
    this.status = make("p", { role: "status" });
    this.head = make("tr");
    this.body = make("tbody");
    this.caption = make("caption", { class: "unseen" }, "All captions");
    const table = make("table", { class: "all" }, this.caption, make("thead", {}, this.head), this.body);
    this.dialog = new ImageDialog(this);
    this.pagers = [this.pager("Pages above"), this.pager("Pages below")];
    const searching = make("label", { class: "search" }, make("span", {}, "Search captions, references and ids"), this.search);
    this.host.replaceChildren(
      make("div", { class: "bar" }, searching),
      // On a narrow screen the captions come before what chooses among them.
      make("details", { open: matchMedia("(min-width: 40rem)").matches }, make("summary", {}, "Order and filters"), this.filters),
      this.chooser(), this.status, this.pagers[0].element,
      make("div", { class: "scroll", role: "group", "aria-label": "All captions", tabindex: "0" }, table),
      this.pagers[1].element, this.dialog.element,
    );
    this.host.hidden = false;
    this.buildFilters();
    window.addEventListener("hashchange", () => this.follow());
  }

  pager(label) {
    const button = (text, name, to) => make("button", { type: "button", "aria-label": name, onclick: () => this.turn(to()) }, text);
    const last = () => this.pages() - 1;
    const buttons = [
      button("«", "First page", () => 0), button("‹", "Previous page", () => this.state.page - 1),
      button("›", "Next page", () => this.state.page + 1), button("»", "Last page", last),
    ];
    const place = make("span");
    const element = make("nav", { class: "pager", "aria-label": label }, buttons[0], buttons[1], place, buttons[2], buttons[3]);
    return { element, buttons, place };
  }

  chooser() {
    const boxes = this.columns.map((column) => {
      const toggle = (event) => {
        if (event.target.checked) this.hidden.delete(column.key);
        else this.hidden.add(column.key);
        this.draw();
      };
      return make("label", {}, make("input", { type: "checkbox", checked: !this.hidden.has(column.key), onchange: toggle }), ` ${column.name}`);
    });
    const size = select("Rows per page", [25, 50, 100, 200].map((n) => [String(n), String(n)]), "50", (n) => this.change({ perPage: Number(n) }));
    const save = () => saveAs("captions.csv", new Blob([this.model.csv(this.rows)], { type: "text/csv" }));
    const saver = make("p", { class: "files" }, make("button", { type: "button", onclick: save }, "Save these images as CSV"));
    return make("details", { class: "chooser" }, make("summary", {}, "Columns and rows"), make("div", {}, ...boxes, size, saver));
  }

  buildFilters() {
    const { model, state } = this;
    const names = model.systems.map((system, at) => [String(at), system.name]);
    const parts = [this.sorter()];
    if (this.several && this.measure !== undefined) {
      if (names.length > 2) {
        const pick = (side) => (value) => this.change({ [side]: Number(value), winner: "" }, true);
        parts.push(select("A", names, String(state.a), pick("a")), select("B", names, String(state.b), pick("b")));
      }
      if (model.measures.length > 1) {
        const measures = model.measures.map((name) => [name, model.column(0, name).label]);
        parts.push(select("Judged by", measures, state.measure, (measure) => this.change({ measure }, true)));
      }
      const [a, b] = [model.systems[state.a].name, model.systems[state.b].name];
      const winners = [["", "anyone"], ["a", a], ["b", b], ["tie", "neither"]];
      parts.push(select("Who wins", winners, state.winner, (winner) => this.change({ winner })));
      const alike = [["", "all"], ["different", "that differ"], ["equal", "that are equal"]];
      parts.push(select("Captions", alike, state.alike, (alike) => this.change({ alike })));
    }
    for (const [name, column] of Object.entries(model.groups)) {
      const values = [...new Set(column)].sort().map((value) => [value, value]);
      const change = (value) => this.change({ groups: { ...this.state.groups, [name]: value } });
      parts.push(select(name, [["", "all"], ...values], state.groups[name] ?? "", change));
    }
    if (model.kinds.length > 0) {
      const kinds = [["", "all"], ["*", "with a finding"], ...model.kinds.map((kind) => [kind, kind])];
      parts.push(select("Findings", kinds, state.finding, (finding) => this.change({ finding })));
    }
    if (this.measure !== undefined) {
      const bound = (side) => (event) => this.change({ [side]: event.target.value === "" ? null : Number(event.target.value) });
      const input = (side, name) =>
        make("label", {}, make("span", {}, name), make("input", { type: "number", step: "any", value: String(state[side] ?? ""), oninput: bound(side) }));
      const label = model.column(0, state.measure).label;
      parts.push(input("from", `${label} from`), input("to", "to"));
    }
    this.filters.replaceChildren(...parts);
  }

  /** The orders by name, for those who choose them from a list. */
  orders() {
    const { model, state } = this;
    const orders = [];
    if (this.several && this.measure !== undefined) {
      const [a, b] = [model.systems[state.a].name, model.systems[state.b].name];
      orders.push([`lead:${state.b}:${state.a}:${state.measure} down`, `where ${b} beats ${a} by most`]);
      orders.push([`lead:${state.a}:${state.b}:${state.measure} down`, `where ${a} beats ${b} by most`]);
    }
    model.systems.forEach((system, at) => {
      for (const column of this.several ? [model.column(at, state.measure)].filter(Boolean) : system.numbers) {
        const of = this.several ? `${column.label} of ${system.name}` : column.label;
        orders.push([`number:${at}:${column.name} down`, `${of}, highest first`], [`number:${at}:${column.name} up`, `${of}, lowest first`]);
      }
    });
    orders.push(["id up", "id"]);
    for (const name of Object.keys(model.groups)) orders.push([`group:${name} up`, name]);
    return orders;
  }

  sorter() {
    const value = `${this.state.sort} ${this.state.descending ? "down" : "up"}`;
    const orders = this.orders();
    if (!orders.some(([key]) => key === value)) orders.unshift([value, "as the heading says"]);
    return select("Order", orders, value, (chosen) => {
      const [sort, direction] = [chosen.slice(0, chosen.lastIndexOf(" ")), chosen.slice(chosen.lastIndexOf(" ") + 1)];
      this.change({ sort, descending: direction === "down" });
    });
  }

  /** Takes over a part of the state and starts at the first page; `compared` where other systems are compared now. */
  change(part, compared = false) {
    Object.assign(this.state, part, { page: 0 });
    if (compared) Object.assign(this.state, { sort: `lead:${this.state.b}:${this.state.a}:${this.state.measure}`, descending: true });
    this.update();
    if (compared) this.buildFilters();
  }

  update() {
    this.rows = this.model.rows(this.state);
    const of = this.rows.length === this.model.size ? "" : ` of ${grouped(this.model.size)}`;
    this.status.textContent = `${grouped(this.rows.length)}${of} ${this.model.size === 1 ? "image" : "images"}`;
    this.draw();
  }

  pages() {
    return Math.max(1, Math.ceil(this.rows.length / this.state.perPage));
  }

  turn(page) {
    this.state.page = Math.min(Math.max(page, 0), this.pages() - 1);
    this.draw();
  }

  sortBy(order) {
    const same = this.state.sort === order;
    this.change({ sort: order, descending: same ? !this.state.descending : order.startsWith("number:") });
    this.filters.firstElementChild.replaceWith(this.sorter());
  }

  draw() {
    const { state } = this;
    const shown = this.columns.filter((column) => !this.hidden.has(column.key));
    const focused = [...this.head.cells].findIndex((cell) => cell.contains(document.activeElement));
    this.head.replaceChildren(
      ...shown.map((column) => {
        const kind = column.number ? "number" : column.wide ? "wide" : "";
        if (!column.order) return make("th", { scope: "col", class: kind }, column.name);
        const sorted = state.sort === column.order ? (state.descending ? "descending" : "ascending") : undefined;
        const button = make("button", { type: "button", onclick: () => this.sortBy(column.order) }, column.name);
        return make("th", { scope: "col", class: kind, "aria-sort": sorted }, button);
      }),
    );
    this.head.cells[focused]?.firstElementChild?.focus();
    const first = state.page * state.perPage;
    const rows = this.rows.slice(first, first + state.perPage).map((row) => {
      const cells = shown.map((column) =>
        make("td", { class: column.number ? "number" : column.wide ? "wide" : "", "data-label": column.name }, column.cell(row)),
      );
      return make("tr", { "data-id": this.model.table.ids[row] }, ...cells);
    });
    if (rows.length === 0) rows.push(make("tr", {}, make("td", { colSpan: Math.max(1, shown.length) }, "Nothing is like this: take back a filter or a word.")));
    this.body.replaceChildren(...rows);
    for (const { buttons, place } of this.pagers) {
      place.textContent = `page ${grouped(state.page + 1)} of ${grouped(this.pages())}`;
      buttons.forEach((button, at) => (button.disabled = at < 2 ? state.page === 0 : state.page === this.pages() - 1));
    }
  }

  /** Opens the image that the address names, on the page where it stands; whether it is in this table. */
  follow() {
    const id = new URLSearchParams(location.hash.slice(1)).get("id");
    const row = id === null ? -1 : this.model.table.ids.indexOf(id);
    if (row < 0) return false;
    if (!this.rows.includes(row)) {
      Object.assign(this.state, { query: "", groups: {}, finding: "", from: null, to: null, winner: "", alike: "" });
      this.search.value = "";
      this.update();
      this.buildFilters();
    }
    this.turn(Math.floor(this.rows.indexOf(row) / this.state.perPage));
    for (const tr of this.body.rows) tr.classList.toggle("linked", tr.dataset.id === id);
    this.dialog.show(row);
    return true;
  }
}

/** Puts a table in the place of the plain lists, which remain where the data can not be read. */
async function showCaptions(section) {
  const model = new CaptionModel(await unpack(section.querySelector("script.packed").textContent));
  const thumbnails = JSON.parse(section.querySelector("script.thumbnails")?.textContent ?? "{}");
  const view = new CaptionView(section.querySelector(".workbench"), model, thumbnails);
  section.querySelector(".plain").remove();
  // The first word typed shall not wait for this.
  setTimeout(() => model.texts);
  return view;
}

window.addEventListener("DOMContentLoaded", async () => {
  const sections = [...document.querySelectorAll("section.captions")];
  for (const section of sections) {
    // One frame for the rest of the page comes first.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const view = await showCaptions(section).catch((error) => console.warn(`the captions can not be unpacked: ${error}`));
    view?.follow();
  }
});
