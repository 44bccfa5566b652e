// Elements of the page that scripts make.
"use strict";

/** An element with its properties and children; texts are texts. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const grouped = (count) => count.toLocaleString("en");

let fields = 0;

function select(label, options, value, onchange) {
  const id = `choice-${fields++}`;
  const list = make("select", { id, onchange: (event) => onchange(event.target.value) });
  for (const [key, text] of options) list.append(make("option", { value: key, selected: key === value }, text));
  return make("div", { class: "field" }, make("label", { for: id }, label), list);
}
