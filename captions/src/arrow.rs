//! Cells of Arrow arrays as JSON values, whatever their type: a row of a Parquet file is then a record like any other.
//!
//! polars' own series know only the types whose features are compiled in, and panic at others.

use polars::prelude::ArrowDataType as D;
use polars_arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, DictionaryArray, FixedSizeListArray,
    ListArray, PrimitiveArray, StructArray, Utf8Array, Utf8ViewArray,
};
use polars_arrow::datatypes::Field;
use serde_json::{Map, Number, Value};

/// The part of a column that holds text, numbers, truth values and what is made of these; `None` where nothing of it does. Bytes,
/// such as those of an image, are left out of structs.
pub(super) fn readable(field: &Field, with_bytes: bool) -> Option<Field> {
    let dtype = match &field.dtype {
        D::List(inner) => D::List(Box::new(readable(inner, with_bytes)?)),
        D::LargeList(inner) => D::LargeList(Box::new(readable(inner, with_bytes)?)),
        D::FixedSizeList(inner, size) => {
            D::FixedSizeList(Box::new(readable(inner, with_bytes)?), *size)
        }
        D::Struct(fields) => {
            let kept: Vec<Field> =
                fields.iter().filter_map(|field| readable(field, false)).collect();
            if kept.is_empty() {
                return None;
            }
            D::Struct(kept)
        }
        leaf if is_readable(leaf, with_bytes) => leaf.clone(),
        _ => return None,
    };
    Some(Field { dtype, ..field.clone() })
}

fn is_readable(leaf: &D, with_bytes: bool) -> bool {
    match leaf {
        D::BinaryView | D::LargeBinary => with_bytes,
        D::Dictionary(_, values, _) => is_readable(values, with_bytes),
        leaf => {
            is_number(leaf) || matches!(leaf, D::Null | D::Boolean | D::Utf8View | D::LargeUtf8)
        }
    }
}

/// For each column of the file that a column of the schema is made of, whether it is in the part that is read.
pub(super) fn leaves(dtype: &D, part: Option<&D>, leaves_read: &mut Vec<bool>) {
    let inner = |part: Option<&D>| match part {
        Some(D::List(field) | D::LargeList(field) | D::FixedSizeList(field, _)) => {
            Some(field.dtype.clone())
        }
        _ => None,
    };
    match dtype {
        D::List(field) | D::LargeList(field) | D::FixedSizeList(field, _) => {
            leaves(&field.dtype, inner(part).as_ref(), leaves_read);
        }
        D::Struct(fields) => {
            for field in fields {
                let kept = match part {
                    Some(D::Struct(kept)) => kept.iter().find(|kept| kept.name == field.name),
                    _ => None,
                };
                leaves(&field.dtype, kept.map(|kept| &kept.dtype), leaves_read);
            }
        }
        _ => leaves_read.push(part.is_some()),
    }
}

fn is_number(dtype: &D) -> bool {
    matches!(
        dtype,
        D::Int8
            | D::Int16
            | D::Int32
            | D::Int64
            | D::UInt8
            | D::UInt16
            | D::UInt32
            | D::UInt64
            | D::Float32
            | D::Float64
            | D::Decimal(..)
            | D::Decimal32(..)
            | D::Decimal64(..)
    )
}

/// Whether a column of this type can hold captions: text, lists of it, and objects that hold it.
pub(super) fn holds_text(dtype: &D) -> bool {
    match dtype {
        D::List(inner) | D::LargeList(inner) | D::FixedSizeList(inner, _) => {
            holds_text(&inner.dtype)
        }
        other => !is_number(other) && *other != D::Boolean,
    }
}

/// Whether a column of this type is made of others.
pub(super) fn is_nested(dtype: &D) -> bool {
    matches!(dtype, D::List(_) | D::LargeList(_) | D::FixedSizeList(..) | D::Struct(_))
}

/// A record of these columns with nothing in it but what is nested in what.
pub(super) fn outline<'f>(fields: impl Iterator<Item = &'f Field>) -> Value {
    let record = fields.map(|field| (field.name.to_string(), outline_of(&field.dtype)));
    record.collect::<Map<_, _>>().into()
}

fn outline_of(dtype: &D) -> Value {
    match dtype {
        D::List(inner) | D::LargeList(inner) | D::FixedSizeList(inner, _) => {
            vec![outline_of(&inner.dtype)].into()
        }
        D::Struct(fields) => outline(fields.iter()),
        number if is_number(number) => 0.into(),
        text if is_readable(text, false) && holds_text(text) => "".into(),
        _ => Value::Null,
    }
}

/// What a column of this type holds, for a message.
pub(super) fn name(dtype: &D) -> String {
    match dtype {
        D::Int8 => "i8".into(),
        D::Int16 => "i16".into(),
        D::Int32 => "i32".into(),
        D::Int64 => "i64".into(),
        D::UInt8 => "u8".into(),
        D::UInt16 => "u16".into(),
        D::UInt32 => "u32".into(),
        D::UInt64 => "u64".into(),
        D::Float16 => "f16".into(),
        D::Float32 => "f32".into(),
        D::Float64 => "f64".into(),
        D::Boolean => "truth values".into(),
        D::Decimal(..) | D::Decimal32(..) | D::Decimal64(..) | D::Decimal256(..) => {
            "decimals".into()
        }
        D::Timestamp(..) => "points in time".into(),
        D::Date32 | D::Date64 => "dates".into(),
        D::Time32(_) | D::Time64(_) => "times of day".into(),
        D::Duration(_) | D::Interval(_) => "durations".into(),
        D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Dictionary(..) => "text".into(),
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => "bytes".into(),
        D::List(inner) | D::LargeList(inner) | D::FixedSizeList(inner, _) => {
            format!("lists of {}", name(&inner.dtype))
        }
        D::Struct(_) => "structs".into(),
        D::Map(..) => "maps".into(),
        _ => "values of a type that is not read".into(),
    }
}

/// How many bytes of text the cells of an array hold together, as often as they are repeated. Cells may share one text, so that
/// their values are far longer than what was decoded.
pub(super) fn text_bytes(array: &dyn Array) -> u64 {
    let any = array.as_any();
    if let Some(cells) = any.downcast_ref::<Utf8ViewArray>() {
        return cells.values_iter().map(|text| text.len() as u64).sum();
    }
    if let Some(cells) = any.downcast_ref::<BinaryViewArray>() {
        return cells.values_iter().map(|text| text.len() as u64).sum();
    }
    if let Some(cells) = any.downcast_ref::<ListArray<i64>>() {
        return text_bytes(cells.values().as_ref());
    }
    if let Some(cells) = any.downcast_ref::<ListArray<i32>>() {
        return text_bytes(cells.values().as_ref());
    }
    if let Some(cells) = any.downcast_ref::<FixedSizeListArray>() {
        return text_bytes(cells.values().as_ref());
    }
    if let Some(cells) = any.downcast_ref::<StructArray>() {
        return cells.values().iter().map(|field| text_bytes(field.as_ref())).sum();
    }
    macro_rules! dictionaries {
        ($($type:ty),*) => {
            $(if let Some(cells) = any.downcast_ref::<DictionaryArray<$type>>() {
                let texts = cells.values().as_any().downcast_ref::<Utf8ViewArray>();
                let lengths: Vec<u64> = texts
                    .into_iter()
                    .flat_map(|texts| texts.values_iter())
                    .map(|text| text.len() as u64)
                    .collect();
                let keys = cells.keys().iter().flatten();
                let keys = keys.filter_map(|key| usize::try_from(*key).ok());
                return keys.filter_map(|key| lengths.get(key)).sum();
            })*
        };
    }
    dictionaries!(u8, u16, u32, u64, i8, i16, i32, i64);
    0
}

/// The cell of a row. A type that [`readable`] leaves out is null.
pub(super) fn value(array: &dyn Array, row: usize) -> Value {
    if row >= array.len() || array.is_null(row) {
        return Value::Null;
    }
    let any = array.as_any();
    macro_rules! integers {
        ($($type:ty),*) => {
            $(if let Some(cells) = any.downcast_ref::<PrimitiveArray<$type>>() {
                return cells.value(row).into();
            })*
        };
    }
    macro_rules! dictionaries {
        ($($type:ty),*) => {
            $(if let Some(cells) = any.downcast_ref::<DictionaryArray<$type>>() {
                let key = usize::try_from(cells.keys().value(row)).unwrap_or(usize::MAX);
                return value(cells.values().as_ref(), key);
            })*
        };
    }
    if let Some(cells) = any.downcast_ref::<Utf8ViewArray>() {
        return cells.value(row).into();
    }
    if let Some(cells) = any.downcast_ref::<Utf8Array<i64>>() {
        return cells.value(row).into();
    }
    integers!(i8, i16, i32, i64, u8, u16, u32, u64);
    if let Some(cells) = any.downcast_ref::<PrimitiveArray<f64>>() {
        return float(cells.value(row));
    }
    if let Some(cells) = any.downcast_ref::<PrimitiveArray<f32>>() {
        return float(cells.value(row).into());
    }
    if let (Some(cells), D::Decimal(_, scale)) =
        (any.downcast_ref::<PrimitiveArray<i128>>(), array.dtype())
    {
        return decimal(cells.value(row), *scale).into();
    }
    if let Some(cells) = any.downcast_ref::<BooleanArray>() {
        return cells.value(row).into();
    }
    if let Some(cells) = any.downcast_ref::<ListArray<i64>>() {
        return list(cells.value(row).as_ref());
    }
    if let Some(cells) = any.downcast_ref::<ListArray<i32>>() {
        return list(cells.value(row).as_ref());
    }
    if let Some(cells) = any.downcast_ref::<FixedSizeListArray>() {
        return list(cells.value(row).as_ref());
    }
    if let Some(cells) = any.downcast_ref::<StructArray>() {
        let fields = cells.fields().iter().zip(cells.values());
        let record: Map<String, Value> = fields
            .map(|(field, array)| (field.name.to_string(), value(array.as_ref(), row)))
            .collect();
        return record.into();
    }
    dictionaries!(u8, u16, u32, u64, i8, i16, i32, i64);
    // Text without the mark that it is text, as Spark and Hive write it.
    if let Some(cells) = any.downcast_ref::<BinaryViewArray>() {
        return String::from_utf8_lossy(cells.value(row)).into_owned().into();
    }
    if let Some(cells) = any.downcast_ref::<BinaryArray<i64>>() {
        return String::from_utf8_lossy(cells.value(row)).into_owned().into();
    }
    Value::Null
}

fn list(cells: &dyn Array) -> Value {
    (0..cells.len()).map(|row| value(cells, row)).collect::<Vec<_>>().into()
}

fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// All digits of a decimal, which may be more than a number of JSON keeps.
fn decimal(digits: i128, scale: usize) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    match scale {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_of_every_width_are_values() {
        assert_eq!(value(&PrimitiveArray::from_vec(vec![1i8, -2]), 1), json!(-2));
        assert_eq!(value(&PrimitiveArray::from_vec(vec![u64::MAX]), 0), json!(u64::MAX));
        assert_eq!(value(&PrimitiveArray::from_vec(vec![7.0f32]), 0), json!(7.0));
        assert_eq!(value(&PrimitiveArray::from_vec(vec![f64::NAN]), 0), Value::Null);
        assert_eq!(value(&Utf8ViewArray::from_slice([Some("a"), None]), 1), Value::Null);
        let decimals = PrimitiveArray::from_vec(vec![30_100i128]).to(D::Decimal(22, 2));
        assert_eq!(value(&decimals, 0), json!("301.00"));
        assert_eq!(decimal(-5, 3), "-0.005");
        assert_eq!(decimal(i128::from(u64::MAX) * 10, 0), "184467440737095516150");
    }

    #[test]
    fn bytes_are_left_out_of_structs() {
        let field = |name: &str, dtype| Field::new(name.into(), dtype, true);
        let image = D::Struct(vec![field("bytes", D::BinaryView), field("path", D::Utf8View)]);
        let part = readable(&field("image", image.clone()), true).unwrap();
        assert_eq!(part.dtype, D::Struct(vec![field("path", D::Utf8View)]));
        let mut read = Vec::new();
        leaves(&image, Some(&part.dtype), &mut read);
        assert_eq!(read, [false, true]);
        assert!(readable(&field("x", D::Date32), true).is_none());
        assert!(!holds_text(&D::LargeList(Box::new(field("item", D::Int64)))));
    }
}
