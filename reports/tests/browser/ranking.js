// A long ranking: searched, filtered by the words of a column, and with fewer columns.
import assert from "node:assert/strict";

export async function playRanking(open, check) {
  await check("search and filter a ranking", async () => {
    const page = await open("large-leaderboard.html");
    const finder = page.locator(".finder").first();
    const table = page.getByRole("table", { name: "Ranking" });
    const systems = async () => {
      const rows = await table.locator("tbody tr:visible").all();
      return Promise.all(rows.map((row) => row.locator("td").nth(1).innerText()));
    };
    assert.equal((await systems()).length, 40);

    const search = finder.getByRole("searchbox", { name: "Search Ranking" });
    await search.fill(`"team 7/"`);
    assert.deepEqual(await systems(), ["team 7/submission.csv"]);
    assert.equal(await finder.getByRole("status").innerText(), "1 of 40 rows");
    await search.fill(`"team 7/"; "TEAM 12/"`);
    assert.deepEqual(await systems(), ["team 7/submission.csv", "team 12/submission.csv"]);
    // What is hidden stays so when the table is sorted.
    const heading = table.getByRole("columnheader", { name: "rank" });
    await heading.getByRole("button").click();
    await heading.getByRole("button").click();
    assert.deepEqual(await systems(), ["team 12/submission.csv", "team 7/submission.csv"]);
    await search.fill("");
    assert.equal((await systems()).length, 40);

    await finder.getByText("Columns", { exact: true }).click();
    await finder.getByRole("checkbox", { name: "mean_cosine" }).uncheck();
    assert.equal(await table.getByRole("columnheader", { name: "mean_cosine" }).isVisible(), false);
    await page.context().close();
  });
  await check("filter a table by the words of a column", async () => {
    const page = await open("alone-compare.html");
    const finder = page.locator(".finder", { has: page.getByRole("searchbox", { name: "Search Differences by group" }) });
    const rows = page.getByRole("table", { name: "Differences by group" }).locator("tbody tr:visible");
    const all = await rows.count();
    const choice = finder.getByRole("combobox").first();
    const word = await choice.locator("option").nth(1).innerText();
    await choice.selectOption({ label: word });
    const shown = await rows.allInnerTexts();
    assert.ok(shown.length > 0 && shown.length < all && shown.every((text) => text.includes(word)), `${shown.length} of ${all}`);
    await page.context().close();
  });
}
