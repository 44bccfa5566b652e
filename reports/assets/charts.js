// Charts say what is pointed at, with the mouse or with the arrow keys, and can be saved.

/** The picture with the colours that it has on this page, as a file of its own. */
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg.querySelectorAll("*"), copy.querySelectorAll("*")];
  from.forEach((element, at) => {
    const style = getComputedStyle(element);
    for (const name of ["fill", "stroke"]) if (element.hasAttribute(name)) to[at].setAttribute(name, style[name]);
    if (element.tagName === "text") to[at].setAttribute("font-family", "sans-serif");
  });
  copy.querySelector(".marks")?.remove();
  const { width, height } = svg.viewBox.baseVal;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.style.background = getComputedStyle(svg.closest("figure")).backgroundColor;
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
}

async function asPng(svg) {
  const image = new Image();
  const address = URL.createObjectURL(standalone(svg));
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function saveAs(name, blob) {
  const link = document.createElement("a");
  link.download = name;
  link.href = URL.createObjectURL(blob);
  link.click();
  URL.revokeObjectURL(link.href);
}

function offerFiles(figure, svg) {
  const title = figure.querySelector("h2").textContent;
  const name = title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "chart";
  const files = {
    SVG: () => saveAs(`${name}.svg`, standalone(svg)),
    PNG: async () => saveAs(`${name}.png`, await asPng(svg)),
  };
  if (figure.dataset.csv !== undefined) files.CSV = () => saveAs(`${name}.csv`, new Blob([figure.dataset.csv], { type: "text/csv" }));
  const list = document.createElement("p");
  list.className = "files";
  for (const [format, save] of Object.entries(files)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = format;
    button.setAttribute("aria-label", `Save ${title} as ${format}`);
    button.addEventListener("click", save);
    list.append(button);
  }
  figure.append(list);
}

/** A line below the picture that says what is pointed at. */
function sayWhatIsPointedAt(svg) {
  const marks = [...svg.querySelectorAll(".marks rect")];
  if (marks.length === 0) return;
  const line = document.createElement("p");
  line.className = "pointed";
  line.setAttribute("aria-live", "polite");
  svg.after(line);
  let current = -1;
  const point = (at) => {
    marks[current]?.classList.remove("pointed");
    current = at;
    marks[at]?.classList.add("pointed");
    line.textContent = marks[at]?.textContent ?? "";
  };
  marks.forEach((mark, at) => mark.addEventListener("pointerenter", () => point(at)));
  svg.addEventListener("pointerleave", () => point(-1));
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("blur", () => point(-1));
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    point(Math.min(Math.max(current + step, 0), marks.length - 1));
  });
}

for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg.chart");
  if (!svg) continue;
  sayWhatIsPointedAt(svg);
  offerFiles(figure, svg);
}
