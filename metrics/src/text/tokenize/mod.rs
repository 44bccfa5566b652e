//! Words of a caption in the manner of pycocoevalcap: a scanner that takes the longest word at each position.
//!
//! [`classes`] sorts characters, [`word`] knows the shapes of words, [`abbreviations`] which of them keep a period;
//! this file deals with everything that is not a word and drops what is punctuation.

mod abbreviations;
mod classes;
mod word;

use classes::{is_apostrophe, is_space, is_word_char};
use word::Word;

/// Splits a caption into words as pycocoevalcap does: Penn-Treebank tokens in lower case without punctuation.
///
/// A caption of white space and punctuation has none.
///
/// pycocoevalcap starts Java for this: Stanford's PTBTokenizer 3.4.1 with `-preserveLines -lowerCase`, then drops the
/// tokens of a punctuation list. This is a reimplementation from the observed behaviour of that program (no
/// code was taken from it), checked against it by `fixtures/text-metrics`. What it does alike:
///
/// - clitics are words of their own: `it 's`, `do n't`, `they 're`, `can not`, `gon na`;
/// - hyphens, slashes, decimal points and the like stay inside a word: `x-ray`, `km/h`, `3.14`, `10:30`, `at&t`;
/// - abbreviations and initials keep their period: `st.`, `u.s.`; other final periods go;
/// - `(` and `)` become the words `-lrb-` and `-rrb-`, likewise `-lsb-`, `-lcb-`: the list of punctuation has them in
///   upper case, which `-lowerCase` prevents from matching, so that published scores count them as words;
/// - runs of `!` and `?` of two or more are words, single ones are not;
/// - `£` and `€` become `#` and `$`, `¢` becomes `cents`, `½` becomes `1/2`; characters beyond U+FFFF (emoji) vanish.
///
/// Where it may differ, all of it rare in captions:
///
/// - numbers that the original joins across a space (telephone numbers, `10 1/2`) are split at that space, as
///   pycocoevalcap's BLEU and CIDEr do afterwards;
/// - URLs, e-mail addresses, markup and emoticons are recognised in their common forms only; of the HTML entities only
///   `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&nbsp;`;
/// - apostrophes within names (`Qur'an`, `K'naan`) follow a rule where the original follows a long list;
/// - rare abbreviations, and whether a full stop after a single letter ends the sentence; there the original looks
///   across the end of the line at the next caption, while here every caption is read alone.
///
/// Measured on 32,680 captions of a public competition (references and submissions), each read alone: all but 3
/// give the same words.
///
/// ```
/// use fgd_metrics::text::tokenize;
/// assert_eq!(tokenize("It's a \"STOP\" sign, isn't it?"), ["it", "'s", "a", "stop", "sign", "is", "n't", "it"]);
/// ```
pub fn tokenize(caption: &str) -> Vec<String> {
    let text = decode(caption);
    let mut scanner = Scanner { text: &text, words: Vec::new() };
    let mut position = 0;
    while position < text.len() {
        position += scanner.step(position);
    }
    scanner.words
}

/// Entities to characters, invisible characters away.
fn decode(caption: &str) -> Vec<char> {
    let decoded = if caption.contains('&') {
        ["&amp;", "&lt;", "&gt;", "&quot;", "&nbsp;"]
            .iter()
            .zip(["&", "<", ">", "\"", " "])
            .fold(caption.to_owned(), |text, (entity, character)| text.replace(entity, character))
    } else {
        caption.to_owned()
    };
    decoded.chars().filter(|&c| classes::is_visible(c)).collect()
}

struct Scanner<'a> {
    text: &'a [char],
    words: Vec<String>,
}

impl Scanner<'_> {
    /// Handles what starts at `position` and returns how many characters it took, at least one.
    fn step(&mut self, position: usize) -> usize {
        let rest = &self.text[position..];
        let first = rest[0];
        if is_space(first) {
            return 1;
        }
        if let Some(length) = whole(rest) {
            return self.push(&rest[..length]);
        }
        if let Some(length) = emoticon(rest) {
            let face: String = rest[..length].iter().collect();
            self.words.push(face.to_lowercase().replace('(', "-lrb-").replace(')', "-rrb-"));
            return length;
        }
        if word::starts(rest) {
            return self.word(rest);
        }
        if is_apostrophe(first) {
            return self.apostrophe(rest, position);
        }
        self.symbol(rest)
    }

    fn word(&mut self, rest: &[char]) -> usize {
        let Word { length, split } = word::scan(rest);
        match split {
            Some(at) => self.push(&rest[..at]) + self.clitic(&rest[at..length]),
            None => self.push(&rest[..length]),
        }
    }

    /// A clitic (`'s`), a word that begins with an apostrophe (`'em`, `'90s`) or a quotation mark, which is dropped.
    fn apostrophe(&mut self, rest: &[char], position: usize) -> usize {
        let after_word = position > 0 && is_word_char(self.text[position - 1]);
        match word::apostrophe_word(rest, after_word) {
            Some(length) => self.clitic(&rest[..length]),
            None => 1,
        }
    }

    /// One symbol or a run of the same symbol that counts as one token.
    fn symbol(&mut self, rest: &[char]) -> usize {
        let run = |of: fn(char) -> bool| rest.iter().take_while(|&&c| of(c)).count();
        let replacement = match rest[0] {
            '!' | '?' => {
                let length = run(|c| matches!(c, '!' | '?'));
                return if length > 1 { self.push(&rest[..length]) } else { 1 };
            }
            '*' => {
                let length = run(|c| c == '*');
                return self.push(&rest[..length]);
            }
            '_' => {
                let length = run(|c| c == '_');
                return self.push(&rest[..length]);
            }
            '(' => "-lrb-",
            ')' => "-rrb-",
            '[' => "-lsb-",
            ']' => "-rsb-",
            '{' => "-lcb-",
            '}' => "-rcb-",
            '£' => "#",
            '€' | '¤' => "$",
            '¢' => "cents",
            '½' => "1/2",
            '¼' => "1/4",
            '¾' => "3/4",
            '⅓' => "1/3",
            '⅔' => "2/3",
            c if classes::is_punctuation(c) => return 1,
            _ => return self.push(&rest[..1]),
        };
        self.words.push(replacement.to_owned());
        1
    }

    /// Adds a word in lower case; returns its length in characters of the text.
    fn push(&mut self, word: &[char]) -> usize {
        self.words.push(word.iter().collect::<String>().to_lowercase());
        word.len()
    }

    /// Adds a clitic, the apostrophe straightened; that of a name (`O’Neill`) stays as it is written.
    fn clitic(&mut self, word: &[char]) -> usize {
        self.words.push(word::lower(word));
        word.len()
    }
}

/// Tokens that are recognised as a whole before anything else: addresses, markup, handles.
fn whole(rest: &[char]) -> Option<usize> {
    address(rest).or_else(|| markup(rest)).or_else(|| handle(rest))
}

/// `http://…`, `www.…` and `host.com/…` up to white space, closing punctuation not included.
fn address(rest: &[char]) -> Option<usize> {
    let starts = |prefix: &str| {
        rest.len() > prefix.len()
            && rest.iter().zip(prefix.chars()).all(|(c, p)| c.eq_ignore_ascii_case(&p))
    };
    if !["http://", "https://", "www."].into_iter().any(starts) && !host_with_path(rest) {
        return None;
    }
    let end =
        rest.iter().position(|&c| is_space(c) || "\"<>(){}|".contains(c)).unwrap_or(rest.len());
    let trailing = rest[..end].iter().rev().take_while(|&&c| ".,;:!?'".contains(c)).count();
    Some(end - trailing)
}

fn host_with_path(rest: &[char]) -> bool {
    let length = rest.iter().take_while(|&&c| is_word_char(c) || c == '.').count();
    let host: String = rest[..length].iter().collect();
    let known = [".com", ".net", ".org", ".edu"].into_iter().any(|domain| host.ends_with(domain));
    known && rest.get(length) == Some(&'/')
}

fn markup(rest: &[char]) -> Option<usize> {
    let name = match rest {
        ['<', '/' | '!' | '?', name, ..] | ['<', name, ..] => name,
        _ => return None,
    };
    let end = rest.iter().position(|&c| c == '>')?;
    let inner = &rest[1..end];
    (name.is_ascii_alphabetic() && !inner.contains(&'<') && !inner.contains(&' '))
        .then_some(end + 1)
}

/// `@name` of letters, digits and underscores, `#tag` of letters only.
fn handle(rest: &[char]) -> Option<usize> {
    let first = *rest.get(1)?;
    let rest_of_name = |c: &&char| match rest[0] {
        '@' => is_word_char(**c) || **c == '_',
        _ => c.is_alphabetic(),
    };
    match rest[0] {
        '@' if first.is_ascii_alphabetic() || first == '_' => {}
        '#' if first.is_alphabetic() => {}
        _ => return None,
    }
    Some(1 + rest[1..].iter().take_while(rest_of_name).count())
}

/// `:)`, `;-D` and the like, eyes first.
fn emoticon(rest: &[char]) -> Option<usize> {
    if !matches!(rest[0], ':' | ';' | '=') {
        return None;
    }
    let nose = usize::from(rest.get(1) == Some(&'-'));
    let length = 2 + nose;
    let free = rest.get(length).is_none_or(|&c| !is_word_char(c));
    let mouth = match rest.get(1 + nose)? {
        '(' | ')' => true,
        'D' | 'P' => free && rest[0] != '=',
        _ => false,
    };
    mouth.then_some(length)
}

#[cfg(test)]
mod tests;
