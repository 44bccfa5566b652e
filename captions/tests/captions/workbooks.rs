//! Excel workbooks read like any table, whoever wrote them, and cost no more than their size allows.

use std::io::{Cursor, Write};
use std::path::Path;

use fgd_captions::{
    CaptionFile, FindingKind, Format, ReadError, ReadOptions, Role, is_valid, lint, read,
};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const BOOK: &str = r#"<workbook><workbookPr/><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const RELATIONS: &str = r#"<Relationships>
    <Relationship Id="rId1" Type="http://x/relationships/worksheet" Target="worksheets/sheet1.xml"/>
    <Relationship Id="rId2" Type="http://x/relationships/sharedStrings" Target="/xl/sharedStrings.xml"/>
    <Relationship Id="rId3" Type="http://x/relationships/styles" Target="styles.xml"/></Relationships>"#;
const STYLES: &str = r#"<styleSheet><numFmts><numFmt numFmtId="164" formatCode="0&quot;d&quot;"/></numFmts>
    <cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
    <cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs></styleSheet>"#;

fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in parts {
        archive.start_file(*name, options).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A workbook with these shared strings and this content of its sheet.
fn workbook(strings: &str, rows: &str) -> Vec<u8> {
    zipped(&[
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", RELATIONS),
        ("xl/styles.xml", STYLES),
        ("xl/sharedStrings.xml", &format!("<sst uniqueCount=\"99999999999\">{strings}</sst>")),
        (
            "xl/worksheets/sheet1.xml",
            &format!("<?xml version=\"1.0\"?><worksheet><sheetData>{rows}</sheetData></worksheet>"),
        ),
    ])
}

fn read_bytes(bytes: &[u8], options: &ReadOptions) -> Result<CaptionFile, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    std::fs::write(&path, bytes).unwrap();
    read(&path, options)
}

fn told(file: &CaptionFile) -> String {
    let one = |c: &fgd_captions::Caption| format!("{}={}", c.id, c.text);
    file.captions.iter().map(one).collect::<Vec<_>>().join(" | ")
}

#[test]
fn every_way_to_write_a_cell_is_read() {
    let strings = "<si><t>image_id</t></si><si><t>caption</t></si><si/>\
        <si><r><t>a </t></r><r><rPr><b/></rPr><t xml:space=\"preserve\">bus &amp; </t></r><rPh><t>no</t></rPh><r><t>t&#233;_x000D_!</t></r></si>";
    let rows = r#"
        <row r="2"><c r="B2" t="s"><v>0</v></c><c r="D2" t="s"><v>1</v></c></row>
        <row r="4"><c r="B4"><v>393225000123456789</v></c><c r="D4" t="s"><v>3</v></c><c r="F4"><v>9</v></c></row>
        <row r="5"><c r="B5" t="str"><f>A1</f><v>007.jpg</v></c><c r="D5" t="inlineStr"><is><t>two dogs</t></is></c></row>
        <row r="6"/>
        <row r="7"><c r="B7"><v>102.0</v></c><c r="D7" t="e"><v>#N/A</v></c></row>
        <row r="8"><c r="B8" s="1"><v>45293</v></c><c r="D8" t="s"><v>2</v></c></row>
        <row r="9"><c r="B9" s="2"><v>45293</v></c><c r="D9" t="b"><v>1</v></c></row>
        <row r="10"><c r="B10"><v>5</v></c><c r="D10" t="s"><v>77</v></c></row>
        <row><c/><c><v>6</v></c><c/><c t="inlineStr"><is><t>the place is not said</t></is></c></row>"#;
    let file = read_bytes(&workbook(strings, rows), &ReadOptions::default()).unwrap();
    assert_eq!(file.format, Format::Xlsx);
    assert_eq!(
        told(&file),
        "393225000123456789=a bus & té\r! | 007.jpg=two dogs | 102=#N/A | 2024-01-02= | 45293=True | 5= | 6=the place is not said"
    );
    let lines: Vec<_> = file.captions.iter().map(|c| (c.row, c.line)).collect();
    assert_eq!(lines[0], (1, Some(4)));
    assert_eq!(lines[6], (7, Some(11)));
    let found = |kind, row| file.findings.iter().any(|f| f.kind == kind && f.row == Some(row));
    assert!(found(FindingKind::WrongType, 6), "{:?}", file.findings);
    let lint = lint(&file);
    assert!(lint.iter().any(|f| f.kind == FindingKind::EmptyCaption && f.row == Some(4)));
    assert!(lint.iter().any(|f| f.row == Some(3) && f.message.contains("#N/A")), "{lint:?}");
}

#[test]
fn what_pandas_and_xlsxwriter_write_is_what_was_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/workbooks");
    let good = "7=a \"red\" bus, café | 8=two dogs\nrun | 393225000123456789==1+1 | img_9.jpg=N/A of the day";
    // openpyxl writes long numbers as floats.
    let shortened = good.replace("393225000123456789", "3.932250001234568e+17");
    for (name, submission, references) in [
        ("pandas-openpyxl.xlsx", shortened.as_str(), shortened.as_str()),
        ("pandas-xlsxwriter.xlsx", good, good),
        ("constant-memory.xlsx", good, good),
        ("vlmevalkit.xlsx", "0=a bus | 1=dogs", "0=A red bus. | 0=A bus. | 1=Two dogs."),
    ] {
        for (role, told_as) in [(Role::Submission, submission), (Role::References, references)] {
            let options = ReadOptions { role, ..ReadOptions::default() };
            let file = read(&folder.join(name), &options).unwrap();
            assert_eq!(told(&file), told_as, "{name}");
            assert!(is_valid(&file.findings), "{name}: {:?}", file.findings);
        }
    }
    let file = read(&folder.join("pandas-openpyxl.xlsx"), &ReadOptions::default()).unwrap();
    assert!(lint(&file).iter().any(|f| f.kind == FindingKind::IdFloat && f.row == Some(3)));
    let file = read(&folder.join("several-sheets.xlsx"), &ReadOptions::default()).unwrap();
    assert_eq!(told(&file), "7=a bus");
    let note = file.findings.iter().find(|f| f.message.contains("`captions` is read"));
    assert!(note.is_some_and(|note| note.message.contains("`notes`")), "{:?}", file.findings);
}

#[test]
fn a_first_sheet_without_captions_is_named_with_those_behind_it() {
    let book =
        BOOK.replace("</sheets>", r#"<sheet name="captions" sheetId="2" r:id="rId2"/></sheets>"#);
    let about = "<row><c t=\"inlineStr\"><is><t>About this file</t></is></c></row>";
    for (rows, says) in [("", "which is empty"), (about, "no column of ids was found")] {
        let sheet = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
        let parts = [
            ("xl/workbook.xml", &*book),
            ("xl/_rels/workbook.xml.rels", &RELATIONS.replace("sharedStrings", "other")),
            ("xl/styles.xml", STYLES),
            ("xl/worksheets/sheet1.xml", &sheet),
        ];
        let refused = read_bytes(&zipped(&parts), &ReadOptions::default()).unwrap_err();
        let message = refused.to_string();
        assert!(message.contains(says) && message.contains("`Sheet1`"), "{message}");
        assert!(
            message.ends_with("and not `captions`: put that of the captions first"),
            "{message}"
        );
    }
}

#[test]
fn damage_and_bombs_are_refused_with_a_sentence() {
    let rows = "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>image_id</t></is></c>\
                <c r=\"B1\" t=\"inlineStr\"><is><t>caption</t></is></c></row>";
    let whole = workbook("", rows);
    assert!(read_bytes(&whole, &ReadOptions::default()).unwrap().captions.is_empty());
    let refused = |bytes: &[u8], says: &str| {
        let message = read_bytes(bytes, &ReadOptions::default()).unwrap_err().to_string();
        assert!(message.contains(says), "{message}");
    };
    refused(&whole[..whole.len() - 40], "cut short");
    refused(&workbook("", "<row><c>"), "XML is broken");
    refused(&workbook("", ""), "empty");
    refused(&zipped(&[("xl/workbook.xml", "<workbook/>")]), "no sheet");
    refused(
        &zipped(&[("xl/workbook.xml", BOOK), ("xl/_rels/workbook.xml.rels", RELATIONS)]),
        "missing",
    );
    // 40 MB of one letter, and a long text that every row points at.
    let letters = "a".repeat(40 << 20);
    refused(&workbook(&format!("<si><t>{letters}</t></si>"), rows), "proportion");
    let point = "<row><c><v>1</v></c><c t=\"s\"><v>0</v></c></row>".repeat(2000);
    let bytes =
        workbook(&format!("<si><t>{}</t></si>", &letters[..1 << 20]), &format!("{rows}{point}"));
    refused(&bytes, "proportion");
    let options = ReadOptions { max_bytes: 1 << 20, ..ReadOptions::default() };
    let message = read_bytes(&bytes, &options).unwrap_err().to_string();
    assert!(message.contains("--max-bytes"), "{message}");
    // A header in the last column does not make every row as long.
    let far = "<row><c r=\"A1\" t=\"inlineStr\"><is><t>image_id</t></is></c><c r=\"XFD1\" t=\"inlineStr\"><is><t>caption</t></is></c></row>";
    let short = "<row><c r=\"A2\"><v>1</v></c><c r=\"XFD2\"><v>2</v></c></row>".repeat(50_000);
    let file =
        read_bytes(&workbook("", &format!("{far}{short}")), &ReadOptions::default()).unwrap();
    assert_eq!(file.captions.len(), 50_000);
}
