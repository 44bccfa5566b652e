// The table of all captions on pages of 21,000: search, filter, order, pages, columns, links; and the same pages without scripts.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";

const IMAGES = 21_000;
const MOST_BYTES = 8e6;
/** Rows in the document, whatever the table holds. */
const MOST_ROWS = 200;

const rows = (page) => page.locator("table.all tbody tr");
const status = (page) => page.locator(".captions [role=status]").innerText();
const ids = (page) => page.$$eval("table.all tbody tr", (trs) => trs.map((tr) => tr.dataset.id));
const cells = (page, label) =>
  page.$$eval("table.all tbody td", (tds, name) => tds.filter((td) => td.dataset.label === name).map((td) => td.innerText), label);

async function playScore(page) {
  assert.equal(await status(page), "21,000 images");
  const worst = (await cells(page, "distance")).map(Number);
  assert.ok(worst.length === 50 && worst[0] > 0.99, "the worst first");
  assert.deepEqual(worst, [...worst].sort((a, b) => b - a));

  const word = (await cells(page, "caption"))[0].split(" ")[2].toLowerCase();
  await page.getByRole("searchbox").fill(word);
  const found = (await rows(page).allInnerTexts()).map((text) => text.toLowerCase());
  assert.ok(found.length > 0 && found.every((text) => text.includes(word)), `${word} in all of ${found.length}`);
  assert.match(await status(page), / of 21,000 images$/);
  await page.getByRole("searchbox").fill(`"no such phrase"`);
  assert.match(await rows(page).first().innerText(), /Nothing is like this/);
  await page.getByRole("searchbox").fill("");

  await page.getByRole("combobox", { name: "Findings", exact: true }).selectOption("repetition");
  assert.equal(await status(page), "210 of 21,000 images");
  await page.getByRole("combobox", { name: "label", exact: true }).selectOption("Dog");
  assert.deepEqual([...new Set(await cells(page, "label"))], ["Dog"]);
  await page.getByRole("combobox", { name: "Findings", exact: true }).selectOption("all");
  await page.getByRole("spinbutton", { name: "distance from", exact: true }).fill("0.5");
  await page.getByRole("spinbutton", { name: "to", exact: true }).fill("0.6");
  const within = (await cells(page, "distance")).map(Number);
  assert.ok(within.length > 0 && within.every((x) => x >= 0.5 && x <= 0.6), "between the bounds");
  await page.getByRole("spinbutton", { name: "distance from", exact: true }).fill("");
  await page.getByRole("spinbutton", { name: "to", exact: true }).fill("");
  await page.getByRole("combobox", { name: "label", exact: true }).selectOption("all");

  const heading = page.locator("table.all th", { hasText: "CIDEr-D" });
  await heading.getByRole("button").focus();
  await page.keyboard.press("Enter");
  assert.equal(await heading.getAttribute("aria-sort"), "descending");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("table.all th", { hasText: "CIDEr-D" }).getAttribute("aria-sort"), "ascending");
  const values = (await cells(page, "CIDEr-D")).map(Number);
  assert.deepEqual(values, [...values].sort((a, b) => a - b));
  await page.getByRole("combobox", { name: "Order", exact: true }).selectOption("id");
  assert.deepEqual((await ids(page)).slice(0, 2), ["000000.jpg", "000001.jpg"]);

  await page.getByRole("button", { name: "Next page" }).first().click();
  assert.equal((await ids(page))[0], "000050.jpg");
  await page.getByText("Columns and rows").click();
  await page.getByRole("combobox", { name: "Rows per page", exact: true }).selectOption("200");
  assert.equal(await rows(page).count(), MOST_ROWS);
  await page.getByRole("button", { name: "Last page" }).first().click();
  assert.equal((await ids(page)).at(-1), "020999.jpg");
  await page.getByRole("checkbox", { name: "references" }).uncheck();
  assert.deepEqual(await cells(page, "references"), []);

  await page.getByRole("link", { name: "020999.jpg" }).click();
  const dialog = page.getByRole("dialog", { name: "Image 020999.jpg" });
  await dialog.waitFor();
  assert.match(await dialog.innerText(), /reference[\s\S]*label/);
  assert.match(page.url(), /#id=020999\.jpg$/);
  await dialog.getByRole("button", { name: "Previous" }).click();
  await page.getByRole("dialog", { name: "Image 020998.jpg" }).waitFor();
  await page.keyboard.press("ArrowRight");
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("dialog[open]").count(), 0);

  await page.getByRole("searchbox").fill("020999.jpg");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "as CSV" }).last().click()]);
  const lines = readFileSync(await download.path(), "utf8").split("\r\n");
  assert.equal(lines[0], "id,caption,distance,influence,CIDEr-D,references,findings,label");
  assert.ok(lines.length === 2 && lines[1].startsWith("020999.jpg,"), lines.join("; "));
}

async function followLink(page) {
  const dialog = page.getByRole("dialog", { name: "Image 012345.jpg" });
  await dialog.waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  assert.equal(await page.locator("tr.linked").getAttribute("data-id"), "012345.jpg");
}

async function playCompare(page) {
  const [base, tuned] = ["base", "tuned <b>&amp;</b>"];
  const numbers = async (system) => (await cells(page, system)).map((text) => Number(text.match(/(\d\.\d+)( ✓)?$/)[1]));
  const lead = async () => {
    const [a, b] = [await numbers(base), await numbers(tuned)];
    return a.map((x, at) => x - b[at]);
  };
  const ahead = await lead();
  assert.ok(ahead[0] > 0.9, "where the second beats the first by most");
  assert.ok(ahead.every((x, at) => at === 0 || x <= ahead[at - 1] + 2e-4), "in order");
  await page.getByRole("combobox", { name: "Order", exact: true }).selectOption({ label: `where ${base} beats ${tuned} by most` });
  assert.ok((await lead())[0] < -0.9);
  await page.getByRole("combobox", { name: "Who wins", exact: true }).selectOption({ label: tuned });
  assert.ok((await lead()).every((x) => x >= 0), "ties of four digits aside");
  await page.getByRole("combobox", { name: "Judged by", exact: true }).selectOption("CIDEr-D");
  assert.ok((await lead()).every((x) => x <= 0), "where higher is better the other way round");
  const marked = await page.locator("table.all tbody tr").first().locator("mark").allInnerTexts();
  assert.ok(marked.length > 0);
  const captions = page.getByRole("combobox", { name: "Captions", exact: true });
  await captions.selectOption("that are equal");
  assert.ok((await rows(page).count()) > 0 && (await rows(page).locator("mark").count()) === 0);
  await captions.selectOption("that differ");
  assert.ok((await rows(page).first().locator("mark").count()) > 0);
}

/** Without scripts: the worst and the best, and every table and chart. */
async function readPlain(page) {
  const tables = page.locator(".plain table");
  assert.equal(await tables.count(), 2);
  assert.equal(await tables.nth(0).locator("tbody tr").count(), 50);
  assert.equal(await tables.nth(1).locator("tbody tr").count(), 50);
  assert.ok(await tables.nth(0).isVisible());
  assert.equal(await page.locator(".workbench").isVisible(), false);
}

export async function playWorkbench(site, open, check) {
  const play = (name, what, deed, options) =>
    check(`${name}: ${what}`, async () => {
      const page = await open(name, options);
      if (options?.javaScriptEnabled !== false) await rows(page).first().waitFor();
      await deed(page);
      await page.context().close();
    });
  for (const name of ["large-score.html", "large-compare.html"]) {
    await check(`${name}: its size`, () => {
      const { size } = statSync(path.join(site, name));
      assert.ok(size <= MOST_BYTES, `${size} bytes for ${IMAGES} images`);
    });
    await play(name, "read without scripts", readPlain, { javaScriptEnabled: false });
  }
  await play("large-score.html", "search, filter, order, pages, columns, links", playScore);
  await play("large-score.html#id=012345.jpg", "follow a link to an image", followLink);
  await play("large-compare.html", "who wins, and where", playCompare);
}

/** What a reader waits for, in milliseconds: a benchmark, which nothing is held to. */
export async function measure(open) {
  const lines = [];
  for (const name of ["large-score.html", "large-compare.html"]) {
    const page = await open(name);
    await rows(page).first().waitFor();
    const took = await page.evaluate(() => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
      const ready = performance.now();
      const input = document.querySelector("input[type=search]");
      const searches = ["k", "ka", "kalo", "kalo mi", "kalo ren sta", "zozo"].map((query) => {
        const began = performance.now();
        input.value = query;
        input.dispatchEvent(new Event("input"));
        document.body.getBoundingClientRect();
        return performance.now() - began;
      });
      return { paint, ready, searches };
    });
    const searches = took.searches.map((ms) => ms.toFixed(0)).join(", ");
    lines.push(`${name}: first paint ${took.paint.toFixed(0)} ms, table ${took.ready.toFixed(0)} ms, searches ${searches} ms`);
    await page.context().close();
  }
  return lines;
}
