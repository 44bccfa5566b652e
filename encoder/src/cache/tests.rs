use ndarray::array;

use super::*;

#[test]
fn gives_back_to_the_bit_what_was_put_and_only_to_the_same_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = EmbeddingCache::open(folder.path()).unwrap();
    let small = cache.encoder("small", "").unwrap();
    let large = cache.encoder("large", "").unwrap();
    let embeddings = array![[0.1_f32, -0.0], [f32::MIN_POSITIVE, 3.5]];
    cache.put(&small, &["a cat", "a dog"], embeddings.view()).unwrap();

    let found = cache.get(&small, &["a dog", "a bird", "a cat"], 2).unwrap();
    assert_eq!(found[0].as_ref().unwrap(), &embeddings.row(1));
    assert!(found[1].is_none());
    assert_eq!(found[2].as_ref().unwrap()[1].to_bits(), (-0.0_f32).to_bits());
    assert!(cache.get(&large, &["a cat"], 2).unwrap()[0].is_none());
    assert!(cache.get(&small, &["a cat"], 3).unwrap()[0].is_none());
}

#[test]
fn two_connections_write_at_once_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let path = folder.path();
            scope.spawn(move || {
                let mut cache = EmbeddingCache::open(path).unwrap();
                let key = cache.encoder("e", "").unwrap();
                for i in 0..50 {
                    let caption = format!("caption {half} {i}");
                    let row = array![[half as f32, i as f32]];
                    cache.put(&key, &[&caption], row.view()).unwrap();
                }
            });
        }
    });
    let cache = EmbeddingCache::open(folder.path()).unwrap();
    assert_eq!(cache.holdings().unwrap()[0].embeddings, 100);
    assert!(clear(folder.path()).unwrap());
    assert!(!clear(folder.path()).unwrap());
}

#[test]
fn what_the_disk_has_changed_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = EmbeddingCache::open(folder.path()).unwrap();
    let key = cache.encoder("e", "").unwrap();
    let rows = array![[0.5_f32, 1.5], [2.5, 3.5]];
    cache.put(&key, &["a cat", "a dog"], rows.view()).unwrap();
    let vector: Vec<u8> = cache
        .connection
        .query_row("SELECT vector FROM embedding WHERE caption = ?1", [digest("a cat")], |row| {
            row.get(0)
        })
        .unwrap();
    for bit in 0..vector.len() * 8 {
        let mut other = vector.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        let change = params![other, digest("a cat")];
        cache
            .connection
            .execute("UPDATE embedding SET vector = ?1 WHERE caption = ?2", change)
            .unwrap();
        assert!(cache.get(&key, &["a cat"], 2).unwrap()[0].is_none(), "bit {bit}");
    }
    // The vector of another caption is no better.
    let swap = params![vector, digest("a dog")];
    cache.connection.execute("UPDATE embedding SET vector = ?1 WHERE caption = ?2", swap).unwrap();
    assert!(cache.get(&key, &["a dog"], 2).unwrap()[0].is_none());
    cache.put(&key, &["a dog"], rows.slice(ndarray::s![1..2, ..])).unwrap();
    assert_eq!(cache.get(&key, &["a dog"], 2).unwrap()[0], Some(array![2.5, 3.5]));
}

#[test]
fn a_cache_that_is_cleared_in_use_goes_on_empty() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = EmbeddingCache::open(folder.path()).unwrap();
    let key = cache.encoder("e", "").unwrap();
    let rows = array![[0.5_f32, 1.5]];
    cache.put(&key, &["a cat"], rows.view()).unwrap();
    assert!(clear(folder.path()).unwrap());
    assert!(cache.get(&key, &["a cat"], 2).unwrap()[0].is_none());
    cache.put(&key, &["a cat"], rows.view()).unwrap();
    assert!(cache.get(&key, &["a cat"], 2).unwrap()[0].is_some());
    assert_eq!(cache.holdings().unwrap()[0].embeddings, 1);
    drop(cache);
    assert!(clear(folder.path()).unwrap() && !EmbeddingCache::file(folder.path()).exists());
    let temporary = EmbeddingCache::temporary().unwrap();
    assert_eq!(temporary.holdings().unwrap(), []);
}

#[test]
fn a_file_of_another_version_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(EmbeddingCache::file(folder.path())).unwrap();
    old.execute_batch(
        "CREATE TABLE encoder (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
         INSERT INTO encoder (key) VALUES ('e'); PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let cache = EmbeddingCache::open(folder.path()).unwrap();
    assert_eq!(cache.holdings().unwrap(), []);
    cache.encoder("e", "an encoder").unwrap();
    assert_eq!(cache.holdings().unwrap()[0].encoder, "an encoder");
}

#[test]
fn a_foreign_file_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        EmbeddingCache::file(folder.path()),
        "not a database, but long enough to be read as one".repeat(40),
    )
    .unwrap();
    let message = EmbeddingCache::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("fgd cache clear"), "{message}");
}
