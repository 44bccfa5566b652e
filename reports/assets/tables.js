// Tables of class "sortable" get a button in every column heading. Without scripts they stay readable.

function keyOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort !== undefined ? Number(cell.dataset.sort) : null;
}

function compare(column, isNumber, sign) {
  const words = new Intl.Collator("en", { numeric: true });
  return (a, b) => {
    const [x, y] = [keyOf(a, column), keyOf(b, column)];
    // Rows without a number stand last in both directions.
    if (isNumber && (x === null || y === null)) return (x === null) - (y === null);
    if (isNumber) return sign * (x - y);
    return sign * words.compare(a.cells[column].textContent, b.cells[column].textContent);
  };
}

function sortBy(table, heading, column) {
  const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const isNumber = rows.some((row) => keyOf(row, column) !== null);
  rows.sort(compare(column, isNumber, sign));
  body.append(...rows);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
}

for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sortBy(table, heading, column));
    heading.replaceChildren(button);
  });
}

/** A part that is folded away opens when the address leads to it. */
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target?.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
}
window.addEventListener("hashchange", unfold);
unfold();
