//! The function words of METEOR 1.5 for English, which weigh less than content words.
//!
//! Denkowski & Lavie 2011 (W11-2107) took the words whose relative frequency in a large monolingual corpus exceeds
//! 10⁻³; this is their list, its punctuation included.

const WORDS: &str = " the , . of to and a in that for \" is on 's it with was as said at he by be from have has are \
    his but an this not i will ’ they ) -rrb- ( -lrb- who their had we which were been more or s its would about new \
    one after you : also up when there than $ all out her people she year two - can if last first “ over other ” into \
    some what so -- no time years could ? 't — ' ";

/// True for a function word in lower case.
pub(super) fn is_function_word(word: &str) -> bool {
    !word.is_empty() && !word.contains(' ') && WORDS.contains(&format!(" {word} "))
}

#[cfg(test)]
mod tests {
    use super::is_function_word;

    #[test]
    fn whole_words_only() {
        assert!(is_function_word("the") && is_function_word("'s") && is_function_word("-lrb-"));
        assert!(
            !is_function_word("th")
                && !is_function_word("bus")
                && !is_function_word("")
                && !is_function_word("the ,")
        );
    }
}
