//! The site: valid HTML, nothing from elsewhere, hostile texts as texts, the same bytes twice.

#[path = "../../record/tests/examples/mod.rs"]
mod examples;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fgd_record::{Record, Results};
use fgd_reports::site;
use html5ever::driver::ParseOpts;
use html5ever::tendril::TendrilSink;
use html5ever::tokenizer::TokenizerOpts;
use html5ever::tree_builder::TreeBuilderOpts;
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn records() -> Vec<Record> {
    examples::all().into_iter().map(|(_, record)| record).collect()
}

fn files(dir: &Path) -> BTreeMap<String, String> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            // Pictures are files too.
            let bytes = std::fs::read(entry.path()).unwrap();
            (name, String::from_utf8_lossy(&bytes).into_owned())
        })
        .collect()
}

fn site(records: &[Record], name: &str) -> BTreeMap<String, String> {
    let folder = Folder::new(name);
    site::write(records, &folder.0).unwrap();
    files(&folder.0)
}

fn parse(html: &str) -> RcDom {
    let options = ParseOpts {
        tokenizer: TokenizerOpts { exact_errors: true, ..Default::default() },
        tree_builder: TreeBuilderOpts { exact_errors: true, ..Default::default() },
    };
    html5ever::parse_document(RcDom::default(), options).one(html)
}

/// Calls `see` with the name and attributes of every element.
fn walk(node: &Handle, see: &mut impl FnMut(&str, &BTreeMap<String, String>)) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attrs = attrs
            .borrow()
            .iter()
            .map(|a| (a.name.local.to_string(), a.value.to_string()))
            .collect();
        see(&name.local, &attrs);
    }
    for child in node.children.borrow().iter() {
        walk(child, see);
    }
}

#[test]
fn every_page_is_valid_html_with_unique_ids_and_links_that_lead_somewhere() {
    let mut files = site(&records(), "valid");
    assert!(files.len() > 10);
    files.insert("alone.html".into(), site::page(&records()).unwrap());
    for (name, html) in files.iter().filter(|(name, _)| name.ends_with(".html")) {
        let dom = parse(html);
        assert!(dom.errors.borrow().is_empty(), "{name}: {:?}", dom.errors);
        let mut ids = BTreeSet::new();
        walk(&dom.document, &mut |_, attrs| {
            if let Some(id) = attrs.get("id") {
                assert!(ids.insert(id.clone()), "{name}: id {id} twice");
            }
        });
        walk(&dom.document, &mut |element, attrs| {
            for attribute in ["href", "src"] {
                let Some(address) = attrs.get(attribute) else {
                    continue;
                };
                let is_local = files.contains_key(address)
                    || address.strip_prefix('#').is_some_and(|id| ids.contains(id))
                    || address == "data:,"
                    || (element == "img" && address.starts_with("data:image/jpeg;base64,"));
                assert!(is_local, "{name}: <{element}> leads to {address}");
            }
            assert!(!attrs.keys().any(|a| a.starts_with("on")), "{name}: a handler");
        });
    }
}

#[test]
fn only_the_own_script_is_an_element() {
    for (name, html) in site(&records(), "hostile") {
        if name.ends_with(".html") {
            let mut scripts = Vec::new();
            walk(&parse(&html).document, &mut |element, attrs| {
                // Scripts of another type are data.
                if element == "script" && !attrs.contains_key("type") {
                    scripts.push(attrs.get("src").cloned());
                }
            });
            assert_eq!(scripts, [Some("site.js".to_string())], "{name}");
        }
    }
}

#[test]
fn a_single_page_asks_for_nothing_and_runs_its_own_script_only() {
    let html = site::page(&records()).unwrap();
    let (mut scripts, mut policies) = (0, Vec::new());
    walk(&parse(&html).document, &mut |element, attrs| {
        assert!(element != "link" || attrs["href"] == "data:,", "{attrs:?}");
        scripts += usize::from(element == "script" && !attrs.contains_key("type"));
        policies.extend(attrs.get("content").filter(|text| text.contains("script-src")).cloned());
    });
    assert_eq!((scripts, policies.len()), (1, 1));
    assert!(policies[0].contains("default-src 'none'") && policies[0].contains("'sha256-"));
}

#[test]
fn captions_stand_in_the_page_packed_and_as_plain_tables() {
    let html = site::page(&[examples::compare()]).unwrap();
    assert_eq!(html.matches("class=\"packed\"").count(), 1);
    assert!(html.contains("beats base by most"));
    assert!(html.contains("&lt;script&gt;alert(&#x27;x&#x27;)&lt;&#x2f;script&gt; | =cmd()␛"));
    let mut without = examples::compare();
    without.captions = None;
    assert!(!site::page(&[without]).unwrap().contains("class=\"packed\""));
}

#[test]
fn a_site_shows_pictures_in_files_large_where_they_can_be_had() {
    let records = [examples::score(), examples::score(), examples::compare()];
    let folder = Folder::new("images");
    let large = |ids: &[&str]| {
        ids.iter().map(|id| (*id == "000123.jpg").then(|| b"large".to_vec())).collect()
    };
    site::write_with(&records, &folder.0, &large).unwrap();
    let with = files(&folder.0);
    // Two of the records show the same picture.
    assert_eq!(with.keys().filter(|name| name.starts_with("image-")).count(), 2);
    assert!(with["image-1.jpg"] == "large" && with["image-2.jpg"].len() > "large".len());
    let pages = with.values().filter(|html| html.contains("{\"000123.jpg\":\"image-1.jpg\"}"));
    assert!(pages.count() >= 2);
    let without = site(&records, "images-small");
    assert!(without["image-1.jpg"].len() > "large".len());
    assert!(site::page(&records).unwrap().contains("{\"000123.jpg\":\"data:image/jpeg;base64,"));
}

#[test]
fn a_table_of_captions_that_does_not_fit_together_is_left_out() {
    let mut record = examples::score();
    record.captions.as_mut().unwrap().systems[0].captions.pop();
    assert!(!site::page(&[record]).unwrap().contains("class=\"packed\""));
}

#[test]
fn pictures_have_a_name_and_a_description() {
    let mut pictures = 0;
    for (name, html) in site(&records(), "pictures") {
        if name.ends_with(".html") {
            walk(&parse(&html).document, &mut |element, attrs| {
                if element == "svg" && attrs.get("class").is_some_and(|class| class == "chart") {
                    pictures += 1;
                    assert_eq!(attrs["role"], "img");
                    for id in attrs["aria-labelledby"].split(' ') {
                        assert!(html.contains(&format!("id=\"{id}\"")), "{name}: {id}");
                    }
                }
            });
        }
    }
    assert!(pictures > 20, "{pictures} pictures");
}

#[test]
fn the_same_records_give_the_same_bytes() {
    assert_eq!(site(&records(), "once"), site(&records(), "twice"));
}

#[test]
fn records_from_elsewhere_that_do_not_fit_together_are_drawn_without_a_panic() {
    let mut record = examples::score();
    if let Results::Score(results) = &mut record.results {
        let infinity = results.fgd_infinity.as_mut().unwrap();
        infinity.points = vec![(0, 1.0)];
        infinity.slope = Some(1e300);
        let distances = results.distances.as_mut().unwrap();
        distances.edges = vec![3.0, 1.0];
        let influences = results.influences.as_mut().unwrap();
        influences.edges.iter_mut().for_each(|edge| *edge *= 1e300);
        (results.fgd_paired.low, results.fgd_paired.high) = (Some(-1e300), Some(1e300));
    }
    assert!(site(&[record], "misfit").contains_key("index.html"));
}

#[test]
fn a_crowded_leaderboard_has_all_rows_and_pictures_of_the_first() {
    let files = site(&[examples::crowded(500)], "crowded");
    assert_eq!(files.len(), 500 + 4);
    let index = &files["index.html"];
    let linked = index.matches("<a href=\"system-").count();
    assert_eq!(linked, 500);
    assert!(index.contains("The first 30 of 500."));
}

#[test]
fn no_record_is_an_error() {
    assert!(site::write(&[], Path::new("nowhere")).is_err());
}
