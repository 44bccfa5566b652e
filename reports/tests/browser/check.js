// Opens a site of fgd from the disk in headless Chromium and does what a reader does.
//
//     npm ci && node check.js SITE [SCREENSHOTS]
//
// SITE is the folder that `cargo run --example site -- SITE` wrote. The browser is Debian's
// /usr/bin/chromium unless CHROMIUM names another. Ends with 1 and a line per failure.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { playRanking } from "./ranking.js";
import { playStrangers } from "./strangers.js";
import { measure, playWorkbench } from "./workbench.js";

const [site, screenshots] = process.argv.slice(2).map((folder) => path.resolve(folder));
if (!site) {
  console.error("usage: node check.js SITE [SCREENSHOTS]");
  process.exit(2);
}
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const home = pathToFileURL(site + path.sep).href;
const pages = readdirSync(site).filter((name) => name.endsWith(".html")).sort();
// Two of every kind: pages of one kind differ in their numbers.
const kindOf = (name) => name.split("-").slice(0, /^(alone|large)-/.test(name) ? 2 : 1).join("-");
const inspected = pages.filter((name, at) => pages.slice(0, at).filter((other) => kindOf(other) === kindOf(name)).length < 2);
const views = [
  { name: "wide", viewport: { width: 1400, height: 900 }, colorScheme: "light" },
  { name: "narrow", viewport: { width: 390, height: 844 }, colorScheme: "light" },
  { name: "dark", viewport: { width: 1400, height: 900 }, colorScheme: "dark" },
  { name: "narrow-dark", viewport: { width: 390, height: 844 }, colorScheme: "dark" },
  // The width of A4 between its margins.
  { name: "print", viewport: { width: 718, height: 1000 }, colorScheme: "light", media: "print" },
];

const failures = [];
async function check(what, action) {
  try {
    await action();
  } catch (error) {
    failures.push(`${what}: ${error.message}`);
  }
}

/** A tab that notes what its pages ask for and what they complain about. */
async function tab(browser, view, options = {}) {
  const context = await browser.newContext({ viewport: view.viewport, colorScheme: view.colorScheme, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  if (view.media) await page.emulateMedia({ media: view.media });
  const name = view.name;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) failures.push(`${name}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => failures.push(`${name}: script: ${error.message}`));
  page.on("dialog", (dialog) => {
    failures.push(`${name}: a caption ran as a script`);
    return dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(home) && !/^(data|blob):/.test(url)) failures.push(`${name}: asks for ${url}`);
  });
  return page;
}

function go(page, name) {
  return page.goto(new URL(name, home).href);
}

const ranking = (page) => page.getByRole("table", { name: "Ranking" });

/** Text of a column of the ranking. */
function column(page, heading) {
  return ranking(page).evaluate((table, name) => {
    const at = Array.from(table.tHead.rows[0].cells).findIndex((c) => c.textContent === name);
    return Array.from(table.tBodies[0].rows, (row) => row.cells[at].textContent);
  }, heading);
}

async function readAsAPersonDoes(browser) {
  const page = await tab(browser, views[0]);
  await go(page, "index.html");
  await check("sort by a column", async () => {
    const before = await column(page, "system");
    const heading = ranking(page).getByRole("columnheader", { name: "fgd_paired" });
    await heading.getByRole("button").click();
    assert.equal(await heading.getAttribute("aria-sort"), "ascending");
    await heading.getByRole("button").click();
    assert.equal(await heading.getAttribute("aria-sort"), "descending");
    const values = (await column(page, "fgd_paired")).map(parseFloat);
    assert.ok(values.length > 2, "rows to sort");
    assert.deepEqual(values, [...values].sort((a, b) => b - a));
    assert.deepEqual(await column(page, "system"), before.reverse());
  });
  await check("sort with the keyboard", async () => {
    const heading = ranking(page).getByRole("columnheader", { name: "rank" });
    await heading.getByRole("button").focus();
    await page.keyboard.press("Enter");
    assert.deepEqual(await column(page, "rank"), ["1", "2", "3", "4"]);
  });
  await check("follow a link to a system and find its error bars", async () => {
    await ranking(page).locator("tbody a").first().click();
    await page.waitForURL(/system-.*\.html$/);
    assert.match(await page.locator("h1").innerText(), /against/);
    assert.match(await page.locator("main").innerText(), /0\.1151[\s\S]*± 0\.0041/);
    const chart = page.getByRole("img", { name: /Distances/ });
    assert.equal(await chart.count(), 1);
    assert.ok((await chart.locator('[stroke="#0072B2"]').count()) >= 3, "bars");
  });
  await check("see an image beside what the systems say of it", async () => {
    await go(page, "index.html");
    await page.getByRole("link", { name: /^base vs / }).click();
    const entry = page.locator(".entries li", { hasText: "000042.jpg" });
    const image = entry.getByRole("img", { name: /000042/ });
    assert.ok((await image.evaluate((i) => i.complete && i.naturalWidth)) > 50, "a thumbnail");
    assert.match(await entry.innerText(), /a cat[\s\S]*reference/);
  });
  await check("find the captioner's speed", async () => {
    await go(page, "index.html");
    await page.getByRole("link", { name: /^Captions of / }).click();
    assert.match(await page.locator("main").innerText(), /images\/s\s+21\.7[\s\S]*000311\.jpg/);
  });
  await check("the way back", async () => {
    await page.getByRole("link", { name: /All results/ }).click();
    await page.waitForURL(/index\.html$/);
  });
  await page.context().close();
}

async function inspect(page, view, name) {
  await go(page, name);
  const what = `${name}, ${view.name}`;
  if (!view.media) await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
  await check(`${what}: no sideways scrolling of the page`, async () => {
    const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    assert.ok(inner <= outer, `${inner} wider than ${outer}`);
  });
  await check(`${what}: letters of pictures do not overlap`, async () => {
    const overlaps = await page.evaluate(() => {
      const found = [];
      for (const svg of document.querySelectorAll("svg.chart")) {
        const texts = Array.from(svg.querySelectorAll("text"), (t) => [t.textContent.trim(), t.getBoundingClientRect()]);
        const frame = svg.getBoundingClientRect();
        texts.forEach(([a, p], i) => {
          if (!a) return;
          // A rotated letter's box is as wide as its line, which may stand out on the left where no ink is.
          if (p.left < frame.left - 16 || p.right > frame.right + 1 || p.bottom > frame.bottom + 1) found.push(`${a} leaves its picture`);
          for (const [b, q] of texts.slice(i + 1)) {
            const apart = p.right <= q.left || q.right <= p.left || p.bottom - 2 <= q.top || q.bottom - 2 <= p.top;
            if (!apart) found.push(`${a} × ${b}`);
          }
        });
      }
      return found;
    });
    assert.deepEqual(overlaps, []);
  });
  if (!view.media) await check(`${what}: accessible`, async () => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run({ preload: false }));
    const lines = violations.map((v) => `${v.id} (${v.nodes.length}): ${v.nodes[0].html} ${v.nodes[0].failureSummary}`);
    assert.deepEqual(lines, []);
  });
  if (screenshots) {
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = false)));
    await page.screenshot({ path: path.join(screenshots, `${name.replace(".html", "")}.${view.name}.png`), fullPage: true });
  }
}

if (screenshots) mkdirSync(screenshots, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
await readAsAPersonDoes(browser);
const open = async (name, options) => {
  const page = await tab(browser, views[0], options);
  await go(page, name);
  return page;
};
await playStrangers(open, check);
await playRanking(open, check);
await playWorkbench(site, open, check);
const waits = await measure(open);
for (const view of views) {
  const page = await tab(browser, view);
  for (const name of inspected) await inspect(page, view, name);
  await page.context().close();
}
await browser.close();

if (failures.length > 0) {
  console.error([...new Set(failures)].join("\n"));
  process.exit(1);
}
console.log(waits.join("\n"));
console.log(`${inspected.length} pages in ${views.length} views: sorted, followed, read; nothing to complain about`);
