// What five strangers come for, each from the first page of a report and in three actions at most. An action is a click, a
// choice or a word typed; reading and scrolling are none.
import assert from "node:assert/strict";

const MOST_ACTIONS = 3;

/** What a person does, counted. */
function counting(page) {
  let actions = 0;
  const act = (deed) => async (...what) => {
    actions += 1;
    await deed(...what);
  };
  return {
    click: act((locator) => locator.click()),
    choose: act((locator, label) => locator.selectOption({ label })),
    count: () => actions,
    text: () => page.locator("main").innerText(),
  };
}

const firstRow = (page) => page.locator("table.all tbody tr").first();

export const tasks = [
  {
    name: "which are the worst captions of my system",
    from: "alone-score.html",
    async do(page) {
      await firstRow(page).waitFor();
      assert.match(await firstRow(page).innerText(), /000123\.jpg[\s\S]*0\.4983/);
    },
  },
  {
    name: "why am I below X: where X beats me by most",
    from: "alone-compare.html",
    async do(page, person) {
      await firstRow(page).waitFor();
      await person.choose(page.getByRole("combobox", { name: "A", exact: true }), "other.csv");
      await person.choose(page.getByRole("combobox", { name: "B", exact: true }), "tuned <b>&amp;</b>");
      const row = firstRow(page);
      assert.match(await row.innerText(), /<\/script>\.jpg[\s\S]*0\.0200 ✓/);
      assert.ok((await row.locator("mark").count()) > 0, "words that differ are marked");
    },
  },
  {
    name: "did tuning help on pictures with text",
    from: "alone-compare.html",
    async do(page, person) {
      await person.click(page.getByRole("link", { name: "Differences by group" }));
      await person.choose(page.getByRole("combobox", { name: "group", exact: true }), "ocr = yes");
      const row = page.getByRole("table", { name: "Differences by group" }).locator("tbody tr:visible").first();
      assert.match(await row.innerText(), /fgd_paired[\s\S]*tuned[\s\S]*base[\s\S]*ocr = yes[\s\S]*-0\.031/);
    },
  },
  {
    name: "what broke last night, and since when",
    from: "alone-nightly.html",
    async do(page) {
      const verdict = page.locator(".verdict").first();
      assert.match(await verdict.innerText(), /REGRESSED: /);
      assert.ok(await verdict.evaluate((v) => v.classList.contains("bad")), "it is red");
      assert.match(await page.locator("main").innerText(), /since\s+2025-03-05/);
    },
  },
  {
    name: "is A really better than B",
    from: "alone-compare.html",
    async do(page) {
      const verdicts = await page.locator(".verdict").allInnerTexts();
      const answer = verdicts.find((text) => text.startsWith("tuned"));
      assert.match(answer, /is better than base: fgd_paired -0\.0084 ± 0\.0022 \(p = [\d.]+, better on 2,104 of 3,771 images\)/);
    },
  },
];

export async function playStrangers(open, check) {
  for (const task of tasks) {
    await check(`${task.name}?`, async () => {
      const page = await open(task.from);
      const person = counting(page);
      await task.do(page, person);
      assert.ok(person.count() <= MOST_ACTIONS, `${person.count()} actions`);
      await page.context().close();
    });
  }
}
