//! How far one word reaches: the longest of the shapes that a word can have.

use super::abbreviations::keeps_period;
use super::classes::{is_apostrophe, is_hyphen, is_space, is_word_char};

/// Length of a word in characters and where to split it in two (`do|n't`, `can|not`).
pub(super) struct Word {
    pub length: usize,
    pub split: Option<usize>,
}

/// Words that are written in one and counted as two, with the length of the first.
const CONTRACTIONS: [(&str, usize); 6] =
    [("cannot", 3), ("gonna", 3), ("gotta", 3), ("wanna", 3), ("gimme", 3), ("lemme", 3)];

/// Clitics without their apostrophe.
const CLITICS: [&str; 6] = ["s", "m", "d", "ll", "re", "ve"];

/// Words with an apostrophe that no rule covers.
const WITH_APOSTROPHE: [&str; 13] = [
    "ma'am", "c'mon", "c'est", "n'est", "qu'il", "ne'er", "e'er", "o'er", "ev'ry", "s'mores",
    "hawai'i", "xi'an", "za'atar",
];

/// Words that keep an apostrophe at their end.
const APOSTROPHE_LAST: [&str; 3] = ["ol", "dunkin", "somethin"];

/// Words that begin with an apostrophe.
const APOSTROPHE_FIRST: [&str; 4] = ["n", "em", "til", "cause"];

/// True if a word or a number begins here: a letter or digit, or a sign or point before digits.
pub(super) fn starts(text: &[char]) -> bool {
    is_word_char(text[0]) || number(text) > 0
}

/// The word at the beginning of `text`, which must satisfy [`starts`].
pub(super) fn scan(text: &[char]) -> Word {
    if let Some(word) = contraction(text) {
        return word;
    }
    let length = [
        number,
        dotted,
        hyphenated,
        slashed,
        ampersand,
        underscored,
        email,
        symbolic,
        apostrophised,
    ]
    .iter()
    .map(|shape| shape(text))
    .max()
    .unwrap_or(1)
    .max(1);
    if let Some(word) = negation(text, length) {
        return word;
    }
    Word { length: length + period(text, length), split: None }
}

/// A word that begins with an apostrophe: a clitic directly after a word, `'em` and the like, a decade (`'90s`).
pub(super) fn apostrophe_word(text: &[char], after_word: bool) -> Option<usize> {
    let letters = run(&text[1..]);
    let word = lower(&text[1..1 + letters]);
    if CLITICS.contains(&word.as_str())
        && (after_word || word.len() > 1 || word == "s" || word == "d" || word == "m")
    {
        return Some(1 + letters);
    }
    if word == "n" && text.get(2).is_some_and(|&c| is_apostrophe(c)) {
        return Some(3);
    }
    if APOSTROPHE_FIRST.contains(&word.as_str()) {
        return Some(1 + letters);
    }
    if word == "tis" || word == "twas" {
        // Two words, `'t is`: the verb is scanned next.
        return Some(2);
    }
    let digits = digits(&text[1..]);
    let decade = digits == 2 && text.get(3).is_some_and(|&c| c == 's') && letters == 3;
    let year = digits == 2
        && letters == 2
        && !after_word
        && text.get(3).is_none_or(|c| !"\"”'’".contains(*c));
    (decade || year).then_some(1 + letters)
}

/// Letters and digits without a break.
fn run(text: &[char]) -> usize {
    text.iter().take_while(|&&c| is_word_char(c)).count()
}

fn digits(text: &[char]) -> usize {
    text.iter().take_while(|c| c.is_ascii_digit()).count()
}

fn is_letter(c: char) -> bool {
    is_word_char(c) && !c.is_numeric()
}

/// Lower case with straight apostrophes.
pub(super) fn lower(text: &[char]) -> String {
    text.iter().map(|&c| if is_apostrophe(c) { '\'' } else { c }).collect::<String>().to_lowercase()
}

/// `3`, `-40`, `.5`, `1,000.50`, `10:30`.
fn number(text: &[char]) -> usize {
    let sign = usize::from(matches!(text.first(), Some('+' | '-')));
    let mut length = sign + digits(&text[sign..]);
    while text.get(length).is_some_and(|c| ".,:".contains(*c)) {
        let more = digits(&text[length + 1..]);
        // Only a point may stand before the first digit.
        if more == 0 || (length == sign && text[length] != '.') {
            break;
        }
        length += 1 + more;
    }
    if length == sign { 0 } else { length }
}

/// `node.js`, `u.s.a`, `yahoo!mail`: letters go on after a point.
fn dotted(text: &[char]) -> usize {
    let mut length = run(text);
    if length == 0 || !is_letter(text[0]) {
        return length;
    }
    while text.get(length).is_some_and(|c| ".!?".contains(*c))
        && text.get(length + 1).is_some_and(|&c| is_letter(c))
    {
        length += 1 + run(&text[length + 1..]);
    }
    length
}

/// `x-ray`, `u.s.-based`, `2,000-seat`.
fn hyphenated(text: &[char]) -> usize {
    let mut head = dotted(text).max(number(text));
    if text[..head].contains(&':') {
        return 0;
    }
    // The period of an initialism belongs to it: `U.S.-based`.
    if text.get(head) == Some(&'.') && text[..head].contains(&'.') {
        head += 1;
    }
    let mut length = head;
    while head > 0 && text.get(length).is_some_and(|&c| is_hyphen(c)) {
        let more = run(&text[length + 1..]);
        if more == 0 {
            break;
        }
        length += 1 + more;
        length += elision(text, length);
    }
    if length == head { 0 } else { length }
}

/// In `côte-d'or` the apostrophe goes on after the hyphen.
fn elision(text: &[char], length: usize) -> usize {
    let alone = length >= 2 && is_hyphen(text[length - 2]);
    let elided = alone && matches!(text[length - 1], 'd' | 'D' | 'l' | 'L' | 'o' | 'O');
    if elided && text.get(length).is_some_and(|&c| is_apostrophe(c)) {
        let more = run(&text[length + 1..]);
        if more >= 2 {
            return 1 + more;
        }
    }
    0
}

/// `km/h`, `9/11`, `and/or`, `x-ray/mri`; a hyphen after the slash needs a letter to follow.
fn slashed(text: &[char]) -> usize {
    let mut length = run(text);
    let mut slashes = 0;
    while length > 0 {
        let Some(&joint) = text.get(length) else {
            break;
        };
        let next = text.get(length + 1).copied().unwrap_or(' ');
        let joins = match joint {
            '/' => is_word_char(next),
            '-' => {
                is_letter(next)
                    || (slashes == 0 && text[length - 1].is_ascii_digit() && next.is_ascii_digit())
            }
            _ => false,
        };
        if !joins {
            break;
        }
        slashes += usize::from(joint == '/');
        length += 1 + run(&text[length + 1..]);
    }
    if slashes == 0 { 0 } else { length }
}

/// `AT&T`, `H&M`, in capitals only.
fn ampersand(text: &[char]) -> usize {
    let capitals = |text: &[char]| text.iter().take_while(|c| c.is_ascii_uppercase()).count();
    let mut length = capitals(text);
    let first = length;
    while length > 0 && matches!(text.get(length), Some('&' | '+')) {
        let more = capitals(&text[length + 1..]);
        if more == 0 {
            break;
        }
        length += 1 + more;
    }
    if length == first { 0 } else { length }
}

/// `snake_case`.
fn underscored(text: &[char]) -> usize {
    let mut length = run(text);
    while text.get(length) == Some(&'_') {
        let more = run(&text[length + 1..]);
        if more == 0 {
            break;
        }
        length += 1 + more;
    }
    length
}

/// `name@host.org`.
fn email(text: &[char]) -> usize {
    let local = text.iter().take_while(|&&c| is_word_char(c) || "._-".contains(c)).count();
    if !is_word_char(text[0]) || text.get(local) != Some(&'@') {
        return 0;
    }
    let host = hyphenated(&text[local + 1..]).max(dotted(&text[local + 1..]));
    if host == 0 { 0 } else { local + 1 + host }
}

/// `C#`, `C++`, and dollars by country: `US$`, `R$`.
fn symbolic(text: &[char]) -> usize {
    match text {
        ['C' | 'c', '+', '+', ..] => 3,
        ['C' | 'c' | 'F' | 'f', '#', ..] | ['A'..='Z', '$', ..] => 2,
        ['A'..='Z', 'A'..='Z', '$', ..] => 3,
        _ => 0,
    }
}

/// `o'clock`, `d'or`, `K'naan`, `ma'am`; `ol'`.
fn apostrophised(text: &[char]) -> usize {
    let head = run(text);
    if !text.get(head).is_some_and(|&c| is_apostrophe(c)) {
        return 0;
    }
    let tail = run(&text[head + 1..]);
    let length = head + 1 + tail;
    let word = lower(&text[..length]);
    if CLITICS.iter().any(|clitic| word.ends_with(&format!("'{clitic}"))) {
        return 0;
    }
    let elided =
        matches!(text[..head], ['d' | 'l' | 'o' | 'A'..='H' | 'J'..='X' | 'Z'] | ['D', 'e']);
    let name = elided && tail >= 2 && is_letter(text[head + 1]);
    if name || WITH_APOSTROPHE.contains(&word.as_str()) {
        return length;
    }
    let keeps = APOSTROPHE_LAST.contains(&lower(&text[..head]).as_str());
    let article = matches!(text[..head], ['d' | 'D' | 'j' | 'J' | 'y' | 'Y']) && tail > 0;
    if keeps || article { head + 1 } else { 0 }
}

/// `cannot`, `gonna`.
fn contraction(text: &[char]) -> Option<Word> {
    let length = run(text);
    if !(5..=6).contains(&length) || text.get(length).is_some_and(|&c| is_hyphen(c)) {
        return None;
    }
    let word = lower(&text[..length]);
    let (_, split) = CONTRACTIONS.into_iter().find(|(whole, _)| *whole == word)?;
    Some(Word { length, split: Some(split) })
}

/// `don't` is `do n't`; `isnt` is not touched.
fn negation(text: &[char], length: usize) -> Option<Word> {
    let [apostrophe, t, ..] = text.get(length..)? else {
        return None;
    };
    let negated = length > 0
        && is_apostrophe(*apostrophe)
        && matches!(t, 't' | 'T')
        && matches!(text[length - 1], 'n' | 'N')
        && text.get(length + 2).is_none_or(|&c| !is_word_char(c));
    negated.then(|| Word { length: length + 2, split: (length > 1).then_some(length - 1) })
}

/// 1 if the period after the word belongs to it: initials, initialisms and abbreviations.
fn period(text: &[char], length: usize) -> usize {
    if text.get(length) != Some(&'.') {
        return 0;
    }
    let after = &text[length + 1..];
    usize::from(keeps_period(
        &text[..length],
        after.iter().position(|&c| !is_space(c)).map(|at| &after[at..]),
    ))
}
