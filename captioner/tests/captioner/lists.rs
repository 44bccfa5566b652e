//! Directories and lists of images as people have them: nothing is passed over without a word.

use std::path::Path;

use fgd_captioner::run::{ImageList, list_images, unreadable};
use tempfile::TempDir;

use super::checkpoint::*;

fn photo() -> Vec<u8> {
    std::fs::read(tiny("img.png")).unwrap()
}

fn directory(files: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in files {
        std::fs::write(dir.path().join(name), photo()).unwrap();
    }
    dir
}

fn ids(list: &ImageList) -> Vec<&str> {
    list.images.iter().map(|image| image.id.as_str()).collect()
}

fn refused(source: &Path) -> String {
    let message = list_images(source, None).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn images_are_known_by_their_names_and_else_by_their_bytes() {
    let dir = directory(&["a.JPG", "b.jpe", "c.jfif", "d.bmp", "e.tif", "f", "g.dat", "._a.JPG"]);
    std::fs::write(dir.path().join("h.avif"), b"\0\0\0\x1cftypavif\0\0\0\0").unwrap();
    std::fs::write(dir.path().join("i.heic"), b"\0\0\0\x18ftypheic\0\0\0\0").unwrap();
    std::fs::write(dir.path().join("captions.csv"), "image_id,caption\n").unwrap();
    std::fs::write(dir.path().join("notes.txt"), "BMW at the beach\n").unwrap();
    for folder in ["more", "x.png"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let list = list_images(dir.path(), None).unwrap();
    assert_eq!(ids(&list), ["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    assert_eq!(
        list.notes(),
        [
            "left out as no images: ._a.JPG, captions.csv, notes.txt",
            "folders inside are not searched: more, x.png"
        ]
    );
    let unread = unreadable(&list.images);
    let unread: Vec<String> =
        unread.iter().map(|(image, reason)| format!("{}: {reason}", image.id)).collect();
    assert_eq!(unread.len(), 2, "{unread:?}");
    assert!(unread[0].starts_with("h: AVIF images are not read"), "{unread:?}");
    assert!(unread[1].starts_with("i: HEIC images are not read"), "{unread:?}");
}

#[cfg(unix)]
#[test]
fn odd_names_and_dangling_links_are_images_too() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let dir = directory(&["12.png", "café.png"]);
    let odd = dir.path().join(OsStr::from_bytes(b"caf\xe9.png"));
    std::fs::write(&odd, photo()).unwrap();
    symlink("gone.png", dir.path().join("link.png")).unwrap();
    symlink("12.png", dir.path().join("same.png")).unwrap();
    symlink("..", dir.path().join("up")).unwrap();
    let list = list_images(dir.path(), None).unwrap();
    assert_eq!(ids(&list), ["12", "café", "caf\\xE9", "link", "same"]);
    assert_eq!(list.images[2].path, odd);
    let unread = unreadable(&list.images);
    assert_eq!(unread.len(), 1);
    assert!(unread[0].1.starts_with("a link to gone.png"), "{}", unread[0].1);
}

#[test]
fn a_single_image_is_a_list_of_one() {
    let dir = directory(&["photo.png", "photo"]);
    for name in ["photo.png", "photo"] {
        let list = list_images(&dir.path().join(name), None).unwrap();
        assert_eq!(ids(&list), ["photo"]);
        assert_eq!(list.images[0].path, dir.path().join(name));
    }
    let missing = list_images(&dir.path().join("none.png"), None).unwrap();
    assert_eq!(unreadable(&missing.images).len(), 1);
}

#[test]
fn lists_come_with_ids_paths_or_both() {
    let dir = directory(&["7.png", "8.png"]);
    let lists = [
        "image_id,path\n7,7.png\n8,8.png\n",
        "image_id\n7\n8\n",
        "\u{feff}file_name\n7.png\n8.png\n",
        "image_path\ttext\n7.png\ta dog, barking\n8.png\t\n",
        "7.png\n8.png\n",
        "7.png \r\n 8.png\r\n\r\n",
    ];
    for text in lists {
        let path = dir.path().join("list.csv");
        std::fs::write(&path, text).unwrap();
        let list = list_images(&path, None).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(ids(&list), ["7", "8"], "{text:?}");
        assert!(unreadable(&list.images).is_empty(), "{text:?}");
    }
}

#[test]
fn a_path_with_a_comma_is_one_path_and_an_id_of_two_images_is_refused() {
    let dir = directory(&["a, b.png", "7.png", "7.jpg", "8.png"]);
    let list = dir.path().join("list.txt");
    std::fs::write(&list, "a, b.png\n8.png\n").unwrap();
    assert_eq!(ids(&list_images(&list, None).unwrap()), ["a, b", "8"]);
    std::fs::write(&list, "image_id\n8\n7\n").unwrap();
    let message = refused(&list);
    assert!(message.contains("could be") && message.contains("7.jpg"), "{message}");
    std::fs::write(&list, "image_id,caption\n8,a dog\n8,a cat\n").unwrap();
    let message = refused(&list);
    assert!(message.contains("one row of each"), "{message}");
}

#[test]
fn what_is_no_list_says_what_it_is() {
    let dir = directory(&["7.png", "7.webp"]);
    let message = refused(dir.path());
    assert!(message.contains("\"7\" is there twice") && message.contains("keep one"), "{message}");
    let list = dir.path().join("list.txt");
    std::fs::write(&list, "caption\na dog\n").unwrap();
    assert!(refused(&list).contains("neither an image nor a list of images: no column image_id"));
    std::fs::write(&list, "image_id,path\n7,7.png\n,8.png\n").unwrap();
    assert!(refused(&list).contains("row 2: the id is empty"));
    let empty = directory(&[]);
    std::fs::write(empty.path().join("read.me"), "hello").unwrap();
    std::fs::create_dir(empty.path().join("train")).unwrap();
    let message = refused(empty.path());
    assert!(message.contains("no image") && message.contains("read.me"), "{message}");
    assert!(message.contains("folders inside are not searched: train"), "{message}");
    assert!(refused(&empty.path().join("nowhere")).contains("nowhere"));
}
