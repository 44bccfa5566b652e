// The captions of a page as data: unpacking, searching, filtering and ordering. Knows nothing of the document.

/** The table inside a script element: base64 of deflated JSON. */
async function unpack(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).json();
}

/** The words of a query, lower-case; what stands in quotes is one. */
function termsOf(query) {
  return (query.toLowerCase().match(/"[^"]+"|\S+/g) ?? []).map((term) => term.replace(/^"|"$/g, "")).filter(Boolean);
}

class CaptionModel {
  constructor(table) {
    this.table = table;
    this.systems = table.systems;
    this.size = table.ids.length;
    this.references = table.references ?? [];
    this.groups = table.groups ?? {};
    this.orders = new Map();
    this.kinds = [...new Set(this.systems.flatMap((system) => Object.keys(system.findings ?? {})))].sort();
    this.findings = this.systems.map((system) => {
      const of = new Map();
      for (const [kind, places] of Object.entries(system.findings ?? {}))
        for (const place of places) of.set(place, [...(of.get(place) ?? []), kind]);
      return of;
    });
  }

  /** Everything that is searched, by image; made when first asked for. */
  get texts() {
    this.searched ??= this.table.ids.map((id, row) =>
      [id, ...(this.references[row] ?? []), ...this.systems.map((system) => system.captions[row])].join("\n").toLowerCase(),
    );
    return this.searched;
  }

  /** Names of the numbers that all of the systems have. */
  get measures() {
    const names = this.systems.map((system) => system.numbers.map((column) => column.name));
    return (names[0] ?? []).filter((name) => names.every((other) => other.includes(name)));
  }

  column(system, name) {
    return this.systems[system].numbers.find((column) => column.name === name);
  }

  /** How much better A is than B on an image, in the direction that is better; null where one of them has no number. */
  lead(name, a, b) {
    const [x, y] = [this.column(a, name), this.column(b, name)];
    const sign = x.higher_is_better === true ? 1 : -1;
    return (row) => (x.values[row] === null || y.values[row] === null ? null : sign * (x.values[row] - y.values[row]));
  }

  /**
   * All images in an order such as `number:0:distance`, `lead:0:1:distance`, `id`, `row` or `group:label`, kept for the next time.
   * Those without a value are last in either direction.
   */
  order(key, descending) {
    const name = `${key} ${descending}`;
    if (!this.orders.has(name)) {
      const sign = descending ? -1 : 1;
      const value = this.valueOf(key);
      const rows = Array.from({ length: this.size }, (_, row) => row);
      const words = new Intl.Collator("en", { numeric: true });
      const isText = typeof value(0) === "string";
      const compare = isText ? words.compare : (x, y) => x - y;
      const ordered = (x, y) => (x === null) - (y === null) || sign * compare(x, y);
      rows.sort((p, q) => ordered(value(p), value(q)) || p - q);
      this.orders.set(name, rows);
    }
    return this.orders.get(name);
  }

  valueOf(key) {
    const [kind, ...rest] = key.split(":");
    if (kind === "number") {
      const { values } = this.column(Number(rest[0]), rest[1]);
      return (row) => values[row];
    }
    if (kind === "lead") return this.lead(rest[2], Number(rest[0]), Number(rest[1]));
    if (kind === "row") return (row) => this.systems[0].rows[row];
    if (kind === "group") return (row) => this.groups[rest.join(":")][row];
    return (row) => this.table.ids[row];
  }

  /** The images that a state lets through, in its order. */
  rows(state) {
    const tests = [];
    const terms = termsOf(state.query);
    if (terms.length > 0) {
      const texts = this.texts;
      tests.push((row) => terms.every((term) => texts[row].includes(term)));
    }
    for (const [group, value] of Object.entries(state.groups)) {
      const column = this.groups[group];
      if (column && value !== "") tests.push((row) => column[row] === value);
    }
    if (state.finding !== "") {
      const has = (kinds) => (state.finding === "*" ? kinds.length > 0 : kinds.includes(state.finding));
      tests.push((row) => this.findings.some((of) => has(of.get(row) ?? [])));
    }
    for (const [bound, keep] of [[state.from, (x, at) => x >= at], [state.to, (x, at) => x <= at]]) {
      if (bound === null) continue;
      const columns = this.systems.map((_, system) => this.column(system, state.measure)?.values).filter(Boolean);
      tests.push((row) => columns.some((values) => values[row] !== null && keep(values[row], bound)));
    }
    if (state.winner !== "" && this.systems.length > 1) {
      const lead = this.lead(state.measure, state.a, state.b);
      const sign = { a: 1, b: -1, tie: 0 }[state.winner];
      tests.push((row) => lead(row) !== null && Math.sign(lead(row)) === sign);
    }
    if (state.alike !== "" && this.systems.length > 1) {
      const [a, b] = [state.a, state.b].map((system) => this.systems[system].captions);
      tests.push((row) => (a[row] === b[row]) === (state.alike === "equal"));
    }
    const all = this.order(state.sort, state.descending);
    return tests.length === 0 ? all : all.filter((row) => tests.every((test) => test(row)));
  }

  /** These images with everything that is known of them, as a table of comma-separated values. */
  csv(rows) {
    const several = this.systems.length > 1;
    const named = (system, what) => (several ? `${what} of ${system.name}` : what);
    const columns = [["id", (row) => this.table.ids[row]]];
    for (const system of this.systems) {
      columns.push([named(system, "caption"), (row) => system.captions[row]]);
      for (const number of system.numbers) columns.push([named(system, number.label), (row) => number.values[row]]);
    }
    if (this.references.length > 0) columns.push(["references", (row) => this.references[row].join(" | ")]);
    this.systems.forEach((system, at) => columns.push([named(system, "findings"), (row) => (this.findings[at].get(row) ?? []).join(" ")]));
    for (const [name, values] of Object.entries(this.groups)) columns.push([name, (row) => values[row]]);
    const line = (cells) => cells.map(inCsv).join(",");
    return [line(columns.map(([name]) => name)), ...rows.map((row) => line(columns.map(([, cell]) => cell(row))))].join("\r\n");
  }
}

/** A text as a cell, which no spreadsheet takes for a formula. */
function inCsv(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
