//! Reads the file on a thread of its own, a bounded number of rows ahead.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use tokio::sync::mpsc;

use super::detect::Layout;
use super::error::ImportError;
use super::record::Record;
use super::scan::Rows;

/// Most rows of a batch.
const BATCH_ROWS: usize = 256;
/// Bytes of rows after which a batch is handed on.
const BATCH_BYTES: usize = 256 << 10;
/// Batches that wait to be worked on.
const BATCHES: usize = 2;

/// Rows of the file in its order, in batches.
pub(super) type Batches = mpsc::Receiver<Result<Vec<Record>, ImportError>>;

/// Starts to read. The thread ends with the file, or when nobody takes its rows any more.
pub(super) fn read(file: File, layout: &Layout) -> Batches {
    let (sender, batches) = mpsc::channel(BATCHES);
    let (dialect, columns, data) = (layout.dialect, layout.columns, layout.data);
    tokio::task::spawn_blocking(move || {
        let mut file = file;
        if let Err(error) = file.seek(SeekFrom::Start(data.0)) {
            let _ = sender.blocking_send(Err(ImportError::Read(error)));
            return;
        }
        let mut rows = Rows::new(file, dialect, Some(columns), data);
        loop {
            let (mut batch, mut bytes, mut last) = (Vec::new(), 0, false);
            while batch.len() < BATCH_ROWS && bytes < BATCH_BYTES && !last {
                match rows.next() {
                    Ok(Some(row)) => {
                        bytes += row.raw.len();
                        batch.push(Record::decode(row, dialect));
                    }
                    Ok(None) => last = true,
                    Err(error) => {
                        let _ = sender.blocking_send(Err(ImportError::Read(error)));
                        return;
                    }
                }
            }
            if sender.blocking_send(Ok(batch)).is_err() || last {
                return;
            }
        }
    });
    batches
}
