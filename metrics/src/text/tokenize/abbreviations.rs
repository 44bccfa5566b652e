//! Which words keep the period that follows them.

use super::classes::is_word_char;

/// Abbreviations that always keep it.
const ALWAYS: &str = " adj adm adv al ala alex apr ariz assn assoc asst atty aug ave bhd bldg blvd brig bros calif \
    capt cf cie cmdr co col colo comdr conn corp cpl ct dec dept det dr drs ens esq est etc ext feb fla fri ft ga \
    gen gov hon inc ind insp intl jan jos jr jul jun kan ky lt ltd maj mar md messrs mfg mich minn mlle mme mo mon \
    mont mr mrs ms mt natl neb nev nov oct okla penn pfc ph plc pres prof pte pty pvt rd rep reps rev rt sen sens \
    sep sept sfc sgt sq sr st ste supt tel tenn thu thurs treas tue tues univ va vs vt wed wis wisc wm wyo ";

/// Abbreviations of American states that are words too: they keep it when capitalised.
const CAPITALISED: &str = " ark del ill la mass miss ore pa tex wash ";

/// Abbreviations that keep it before a number: `No. 5`.
const BEFORE_NUMBER: &str = " art ca fig figs no nos op pp ";

/// Words that begin a sentence when they follow a single letter and its period (`vitamin C. The`), which then loses it.
const OPENERS: &str = " The A An It He She They We You This That These There In At But So If When While As One Her \
    Our Other Some Many What Here Then Now After However Since ";

/// True if `word` keeps its period; `next` is the text from the next character that is not white space.
pub(super) fn keeps_period(word: &[char], next: Option<&[char]>) -> bool {
    if let [letter] = word {
        return letter.is_ascii_alphabetic() && !next.is_some_and(opens_sentence);
    }
    if initialism(word) {
        return true;
    }
    let lower = word.iter().collect::<String>().to_lowercase();
    listed(ALWAYS, &lower)
        || (word[0].is_uppercase() && listed(CAPITALISED, &lower))
        || (next.is_some_and(|next| next[0].is_ascii_digit()) && listed(BEFORE_NUMBER, &lower))
}

/// Single letters with periods between them: `u.s`, `p.m`; also `ph.d`.
fn initialism(word: &[char]) -> bool {
    let alternate = word
        .iter()
        .enumerate()
        .all(|(i, c)| if i % 2 == 0 { c.is_ascii_alphabetic() } else { *c == '.' });
    let doctor = matches!(word, ['P' | 'p', 'h' | 'H', '.', 'D' | 'd']);
    (word.len() > 2 && word.len() % 2 == 1 && alternate) || doctor
}

fn opens_sentence(next: &[char]) -> bool {
    let word: String = next.iter().take_while(|&&c| is_word_char(c)).collect();
    // `J. A. Miner`: another initial opens nothing.
    listed(OPENERS, &word) && !(word == "A" && next.get(1) == Some(&'.'))
}

fn listed(list: &str, word: &str) -> bool {
    !word.is_empty() && list.contains(&format!(" {word} "))
}
