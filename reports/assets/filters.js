// Long sortable tables are searched, filtered by their columns of few words, and shown with the columns that are asked for.

/** Rows from which on a table is worth it. */
const LONG = 6;
/** Words of a column that is chosen from. */
const MOST_WORDS = 12;
/** Columns from which on one may want fewer. */
const MANY_COLUMNS = 8;

/** Whether a row has all words of one of the alternatives, which semicolons part. */
function matcher(query) {
  const alternatives = query.split(";").map(termsOf).filter((words) => words.length > 0);
  return (text) => alternatives.length === 0 || alternatives.some((words) => words.every((word) => text.includes(word)));
}

/** The columns of words that several rows share, each with its words. */
function columnsOfWords(table, rows) {
  const columns = Array.from(table.tHead.rows[0].cells, (heading, at) => ({ at, name: heading.textContent, number: heading.classList.contains("number") }));
  return columns
    .filter((column) => !column.number)
    .map((column) => ({ ...column, words: [...new Set(rows.map((row) => row.cells[column.at].textContent.trim()))].sort() }))
    .filter(({ words }) => words.length > 1 && words.length <= Math.min(MOST_WORDS, rows.length / 2));
}

function columnChooser(table) {
  const rows = [table.tHead.rows[0], ...table.tBodies[0].rows];
  const show = (at) => (event) => rows.forEach((row) => (row.cells[at].hidden = !event.target.checked));
  const boxes = Array.from(table.tHead.rows[0].cells, (heading, at) =>
    make("label", {}, make("input", { type: "checkbox", checked: true, onchange: show(at) }), ` ${heading.textContent}`),
  );
  return make("details", { class: "chooser" }, make("summary", {}, "Columns"), make("div", {}, ...boxes));
}

function offerFilters(table) {
  const rows = Array.from(table.tBodies[0].rows);
  const texts = new Map(rows.map((row) => [row, Array.from(row.cells, (cell) => cell.textContent.trim()).join(" ").toLowerCase()]));
  const chosen = new Map();
  const status = make("p", { role: "status" });
  const search = make("input", { type: "search", placeholder: "words; or others", oninput: () => filter() });
  const filter = () => {
    const matches = matcher(search.value);
    let shown = 0;
    for (const row of rows) {
      const kept = matches(texts.get(row)) && [...chosen].every(([at, word]) => word === "" || row.cells[at].textContent.trim() === word);
      row.hidden = !kept;
      shown += kept;
    }
    status.textContent = shown === rows.length ? "" : `${grouped(shown)} of ${grouped(rows.length)} rows`;
  };
  const choices = columnsOfWords(table, rows).map(({ at, name, words }) =>
    select(name, [["", "all"], ...words.map((word) => [word, word || "(none)"])], "", (word) => {
      chosen.set(at, word);
      filter();
    }),
  );
  const label = make("label", { class: "search" }, make("span", {}, `Search ${table.caption.textContent}`), search);
  const parts = [make("div", { class: "bar" }, label, ...choices)];
  if (table.tHead.rows[0].cells.length >= MANY_COLUMNS) parts.push(columnChooser(table));
  table.closest(".scroll").before(make("div", { class: "finder" }, ...parts, status));
}

for (const table of document.querySelectorAll("table.sortable")) if (table.tBodies[0].rows.length >= LONG) offerFilters(table);
