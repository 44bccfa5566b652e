// Which words two captions do not share.

const plainWord = (word) => word.toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");

/** The words of a caption, each with whether it is missing in the other: what is outside a longest common subsequence. */
function differingWords(text, other) {
  const words = text.split(/\s+/).filter(Boolean).slice(0, 200);
  const own = words.map(plainWord);
  const theirs = other.split(/\s+/).filter(Boolean).slice(0, 200).map(plainWord);
  const length = Array.from({ length: own.length + 1 }, () => new Uint16Array(theirs.length + 1));
  for (let i = own.length - 1; i >= 0; i--)
    for (let j = theirs.length - 1; j >= 0; j--)
      length[i][j] = own[i] === theirs[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
  const marked = [];
  for (let i = 0, j = 0; i < own.length; i++) {
    while (j < theirs.length && own[i] !== theirs[j] && length[i][j + 1] >= length[i + 1][j]) j++;
    const shared = j < theirs.length && own[i] === theirs[j];
    if (shared) j++;
    marked.push([words[i], !shared && own[i] !== ""]);
  }
  return marked;
}
