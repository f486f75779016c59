//! NumPy's array file, version 1.0, for f32 arrays in C order.

use std::io::{self, Write};

/// Writes `data` as an array of that shape.
pub fn write_f32(out: &mut (impl Write + ?Sized), shape: &[usize], data: &[f32]) -> io::Result<()> {
    if shape.iter().product::<usize>() != data.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the shape does not fit the number of values",
        ));
    }
    let sides: String = shape.iter().map(|n| format!("{n}, ")).collect();
    // A tuple of one needs its comma, longer ones may not end in a space by NumPy's own habit.
    let sides = if shape.len() == 1 { sides.trim_end() } else { sides.trim_end_matches([',', ' ']) };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sides}), }}");
    // Magic, version and length take 10 bytes; the data begins at a multiple of 64.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', length - 1 - header.len()));
    header.push('\n');
    let length = u16::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for value in data {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(shape: &[usize]) -> (Vec<u8>, String) {
        let mut bytes = Vec::new();
        write_f32(&mut bytes, shape, &vec![1.5; shape.iter().product()]).expect("memory does not fail");
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let text = String::from_utf8(bytes[10..10 + length].to_vec()).expect("ASCII");
        (bytes, text)
    }

    #[test]
    fn the_data_begins_at_a_multiple_of_64_after_a_python_dict() {
        for (shape, tuple) in
            [(&[2, 3][..], "(2, 3)"), (&[5], "(5,)"), (&[1, 1, 1], "(1, 1, 1)"), (&[], "()")]
        {
            let (bytes, text) = header(shape);
            assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
            assert!(text.contains(&format!("'shape': {tuple}, }}")) && text.ends_with('\n'), "{text}");
            assert_eq!((10 + text.len()) % 64, 0);
            let values = &bytes[10 + text.len()..];
            assert_eq!(values.len(), 4 * shape.iter().product::<usize>());
            assert!(values.chunks_exact(4).all(|c| c == 1.5_f32.to_le_bytes()));
        }
    }

    #[test]
    fn a_shape_that_does_not_fit_is_refused() {
        assert!(write_f32(&mut Vec::new(), &[2, 2], &[0.0; 3]).is_err());
    }
}
