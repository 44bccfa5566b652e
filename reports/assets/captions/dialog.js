// One image over the table: large, with all that is known of it.

class ImageDialog {
  constructor(view) {
    this.view = view;
    this.title = make("h2", { id: `${view.host.id}-title` });
    this.content = make("div");
    const step = (by) => () => this.step(by);
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    const turn = (event) => event.key in steps && this.step(steps[event.key]);
    const forget = () => history.replaceState(null, "", location.pathname + location.search);
    const buttons = make("p", { class: "pager" },
      make("button", { type: "button", onclick: step(-1) }, "‹ Previous"), make("button", { type: "button", onclick: step(1) }, "Next ›"),
      make("button", { type: "button", onclick: () => this.element.close() }, "Close"));
    this.element = make("dialog", { "aria-labelledby": this.title.id, onkeydown: turn, onclose: forget }, this.title, this.content, buttons);
  }

  /** To the image before or after this one among those that are left in the table. */
  step(by) {
    const { rows, model } = this.view;
    const place = rows.indexOf(this.row) + by;
    if (place >= 0 && place < rows.length) location.hash = linkTo(model.table.ids[rows[place]]);
  }

  show(row) {
    this.row = row;
    const { view } = this;
    const { model } = view;
    const id = model.table.ids[row];
    this.title.textContent = `Image ${id}`;
    const entries = [];
    const add = (name, ...what) => entries.push(make("dt", {}, name), make("dd", {}, ...what));
    const numbers = (system) => system.numbers.map((column) => `${column.label} ${inShort(column.values[row])}`).join(" · ");
    model.systems.forEach((system, at) => {
      const words = view.several ? view.beside(at, row).firstChild : system.captions[row] || "(empty)";
      add(system.name, words, make("small", {}, numbers(system)));
      const kinds = model.findings[at].get(row) ?? [];
      if (kinds.length > 0) add("findings", kinds.join(", "));
    });
    for (const text of model.references[row] ?? []) add("reference", text);
    for (const [name, column] of Object.entries(model.groups)) add(name, column[row]);
    const src = view.thumbnails[id];
    this.content.replaceChildren(...(src ? [make("img", { src, alt: `Image ${id}` })] : []), make("dl", {}, ...entries));
    if (!this.element.open) this.element.showModal();
  }
}
