//! Words of captions; every expectation was printed by the original (PTBTokenizer 3.4.1 and pycocoevalcap's list).

use super::tokenize;

fn check(caption: &str, words: &str) {
    assert_eq!(tokenize(caption).join(" "), words, "{caption}");
}

#[test]
fn punctuation_goes_and_case_is_folded() {
    check("A man, a plan: a canal; Panama!", "a man a plan a canal panama");
    check("wait... what?! really?? wow!!", "wait what ?! really ?? wow !!");
    check("“curly” „low“ «guillemets» 'single' `back`", "curly „ low guillemets single back");
    check(" \t\n", "");
    check("--- -- - — –", "");
}

#[test]
fn clitics_are_words() {
    check(
        "don't can’t cannot gonna 'tis it's they're I'm",
        "do n't ca n't can not gon na 't is it 's they 're i 'm",
    );
    check("the teachers' room, John's and the boss's", "the teachers room john 's and the boss 's");
    check("rock 'n' roll of the '80s with 'em", "rock 'n' roll of the '80s with 'em");
    check(
        "O'Neill's o'clock d'or ma'am ol' Dunkin' Donuts",
        "o'neill 's o'clock d'or ma'am ol' dunkin' donuts",
    );
}

#[test]
fn joints_stay_inside_words() {
    check(
        "x-ray km/h AT&T 3.14 10:30 1,000 -40 24/7 snake_case",
        "x-ray km/h at&t 3.14 10:30 1,000 -40 24/7 snake_case",
    );
    check("a- -a rock&roll a=b a+b 5*3", "a a rock & roll a = b a + b 5 * 3");
    check("colors—black a--b 1990–2000", "colors black a b 1990 2000");
    check("C++ C# US$5 20% 50°C 3.5mm 10x10", "c++ c# us$ 5 20 % 50 ° c 3.5 mm 10x10");
}

#[test]
fn periods_stay_with_abbreviations() {
    check(
        "Mr. Smith of St. Ives, the U.S. at 5 p.m. etc.",
        "mr. smith of st. ives the u.s. at 5 p.m. etc.",
    );
    check("No. 5, no. Vol. 3. Ill. is ill.", "no. 5 no vol 3 ill. is ill");
    check("plan B. vitamin C. The J. A. Miner", "plan b. vitamin c the j. a. miner");
    check("node.js Lulu.com file.txt", "node.js lulu.com file.txt");
}

#[test]
fn symbols_are_rewritten_or_vanish() {
    check("(a) [b] {c}", "-lrb- a -rrb- -lsb- b -rsb- -lcb- c -rcb-");
    check("£10 €20 5¢ ½ 1½", "# 10 $ 20 5 cents 1/2 1 1/2");
    check("I ♥ NY 😀 ❤️", "i ♥ ny ❤");
    check("soft\u{ad}hyphen no\u{a0}break", "softhyphen no break");
    check("B&amp;B &lt; &quot;x&quot;", "b&b < x");
}

#[test]
fn addresses_are_one_word() {
    check(
        "see www.foo.com/bar-baz?x=1&y=2. or a@b.com",
        "see www.foo.com/bar-baz?x=1&y=2 or a@b.com",
    );
    check("@user #hashtag #1", "@user #hashtag # 1");
}

#[test]
fn other_scripts_are_words() {
    check("Москва, 日本語 naïve café!", "москва 日本語 naïve café");
}
