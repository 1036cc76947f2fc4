//! Rows in the binary format of COPY, as PostgreSQL's manual describes it under "COPY": a header,
//! tuples with the length of each field, a trailer.

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The length of a field that is NULL.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// What is no COPY data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent malformed COPY data")]
pub(super) struct Malformed;

/// Finds the tuples of a COPY in its chunks, wherever these are cut.
#[derive(Default)]
pub(super) struct Tuples {
    /// The begin of what comes next.
    rest: Vec<u8>,
    header_seen: bool,
}

impl Tuples {
    /// Hands each tuple that is whole with this chunk to `take`.
    ///
    /// # Errors
    /// When the data is malformed, or the first error of `take`.
    pub fn feed<const N: usize, E: From<Malformed>>(
        &mut self,
        chunk: &[u8],
        mut take: impl FnMut([Option<&[u8]>; N]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut joined = std::mem::take(&mut self.rest);
        let mut bytes = if joined.is_empty() {
            chunk
        } else {
            joined.extend_from_slice(chunk);
            &joined
        };
        loop {
            let mut next = bytes;
            if !self.header_seen {
                let Some(()) = header(&mut next)? else { break };
                self.header_seen = true;
            } else if let Some(fields) = tuple(&mut next)? {
                take(fields)?;
            } else {
                break;
            }
            bytes = next;
        }
        self.rest = bytes.to_vec();
        Ok(())
    }
}

/// Reads the header; `None` when it is not all there yet.
fn header(bytes: &mut &[u8]) -> Result<Option<()>, Malformed> {
    let Some(signature) = split(bytes, SIGNATURE.len()) else { return Ok(None) };
    if signature != SIGNATURE {
        return Err(Malformed);
    }
    let Some(_flags) = split(bytes, 4) else { return Ok(None) };
    let Some(length) = length(bytes)? else { return Ok(None) };
    Ok(split(bytes, length).map(|_| ()))
}

/// Reads a tuple; `None` when it is not all there yet, or the trailer has come.
fn tuple<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<Option<[Option<&'a [u8]>; N]>, Malformed> {
    let Some(count) = split(bytes, 2) else { return Ok(None) };
    if count == (-1_i16).to_be_bytes() {
        return Ok(None);
    }
    if usize::from(u16::from_be_bytes([count[0], count[1]])) != N {
        return Err(Malformed);
    }
    let mut fields = [None; N];
    for field in &mut fields {
        if bytes.starts_with(&NULL) {
            *bytes = &bytes[NULL.len()..];
            continue;
        }
        let Some(length) = length(bytes)? else { return Ok(None) };
        let Some(value) = split(bytes, length) else { return Ok(None) };
        *field = Some(value);
    }
    Ok(Some(fields))
}

fn length(bytes: &mut &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(length) = bytes.split_off(..4) else { return Ok(None) };
    let length = i32::from_be_bytes(length.try_into().map_err(|_| Malformed)?);
    usize::try_from(length).map(Some).map_err(|_| Malformed)
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    bytes.split_off(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(rows: &[[Option<&str>; 2]]) -> Vec<u8> {
        let mut data = [SIGNATURE, &0_i32.to_be_bytes(), &0_i32.to_be_bytes()].concat();
        for row in rows {
            data.extend(2_i16.to_be_bytes());
            for field in row {
                let length = field.map_or(-1, |field| i32::try_from(field.len()).unwrap());
                data.extend(length.to_be_bytes());
                data.extend(field.unwrap_or_default().bytes());
            }
        }
        data.extend((-1_i16).to_be_bytes());
        data
    }

    fn read(chunks: &[&[u8]]) -> Result<Vec<[Option<Vec<u8>>; 2]>, Malformed> {
        let (mut tuples, mut rows) = (Tuples::default(), Vec::new());
        for chunk in chunks {
            tuples.feed(chunk, |fields: [Option<&[u8]>; 2]| {
                rows.push(fields.map(|field| field.map(<[u8]>::to_vec)));
                Ok::<_, Malformed>(())
            })?;
        }
        Ok(rows)
    }

    #[test]
    fn tuples_are_found_wherever_the_chunks_are_cut() {
        let rows = [[Some("a"), Some("")], [None, Some("bcd")], [Some("e"), None]];
        let data = data(&rows);
        let whole = read(&[&data]).unwrap();
        assert_eq!(whole, rows.map(|row| row.map(|field| field.map(|field| field.as_bytes().to_vec()))));
        for first in 0..data.len() {
            for second in first..data.len() {
                let chunks = [&data[..first], &data[first..second], &data[second..]];
                assert_eq!(read(&chunks).unwrap(), whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn no_rows_are_no_tuples() {
        assert_eq!(read(&[&data(&[])]).unwrap(), Vec::<[Option<Vec<u8>>; 2]>::new());
    }

    #[test]
    fn what_is_no_copy_data_of_these_columns_is_refused() {
        let good = data(&[[Some("a"), Some("b")]]);
        let negative = {
            let mut negative = good.clone();
            negative[SIGNATURE.len() + 10..SIGNATURE.len() + 14].copy_from_slice(&(-2_i32).to_be_bytes());
            negative
        };
        let other_count = {
            let mut other = good.clone();
            other[SIGNATURE.len() + 9] = 3;
            other
        };
        for bad in [b"PGCOPY\n\xff\r\n1".as_slice(), &negative, &other_count] {
            assert_eq!(read(&[bad]), Err(Malformed));
        }
    }
}
