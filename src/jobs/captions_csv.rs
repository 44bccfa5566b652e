//! A file of captions as submissions have it: columns `image_id` and `caption`, one row per image.

/// The bytes of the file.
///
/// # Errors
/// What the writer fails at.
pub fn captions_csv<'a>(
    rows: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["image_id", "caption"])?;
    for (id, caption) in rows {
        writer.write_record([id, caption])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
