//! Delta upload: finds the blocks of a large file already in the host's old file.

use std::io::Read;

use crate::error::Result;
use crate::transfer::checksum::{Checksum, ChecksumBuilder, Sha256};
use crate::transfer::content::UploadContent;
use crate::transfer::disk_work::blocking_while;
use crate::transfer::parts::BLOCK;

/// The result of comparing a content with the host's old file, block by block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// One flag per block: true if the old file has the same block at the same offset.
    pub(crate) kept: Vec<bool>,
    pub(crate) sum: Checksum,
}

/// Compares a content with `there`, the SHA-256 of each block of the host's old file.
pub(crate) async fn compare(content: &UploadContent, there: Vec<Vec<u8>>) -> Result<Blocks> {
    let content = content.clone();
    blocking_while(move |is_wanted| {
        let mut reader = content.reader()?;
        let mut block = Vec::new();
        let (mut kept, mut whole) = (Vec::new(), ChecksumBuilder::new());
        while is_wanted() {
            block.clear();
            let read = (&mut reader).take(BLOCK).read_to_end(&mut block);
            if read.map_err(|source| content.unreadable(source))? == 0 {
                break;
            }
            whole.update(&block);
            let known = there.get(kept.len());
            kept.push(known.and_then(|known| Sha256::of_digits(known)) == Some(Checksum::of(&block).sha256));
        }
        Ok(Blocks { kept, sum: whole.finish() })
    })
    .await
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Compares two contents made of a block per letter. The last block has only five bytes.
    async fn compared(here: &str, there: &str) -> Blocks {
        let block = |letter: char, length| vec![letter as u8; length];
        let content = |letters: &str| {
            let lengths = (0..letters.len()).rev().map(|left| if left == 0 { 5 } else { 1 << 20 });
            letters.chars().zip(lengths).map(|(letter, length)| block(letter, length)).collect::<Vec<_>>()
        };
        let sums = content(there).iter().map(|block| Checksum::of(block).sha256.to_string().into_bytes()).collect();
        compare(&UploadContent::Bytes(Bytes::from(content(here).concat())), sums).await.unwrap()
    }

    #[tokio::test]
    async fn equal_blocks_at_the_same_offset_are_kept() {
        assert_eq!(compared("abcd", "axcd").await.kept, [true, false, true, true]);
        assert_eq!(compared("abcd", "abcd").await.kept, [true; 4]);
        assert_eq!(compared("abc", "abcd").await.kept, [true, true, false], "its last block has another length");
        assert_eq!(compared("abcd", "abc").await.kept, [true, true, false, false]);
        assert_eq!(compared("ab", "").await.kept, [false, false]);
    }
}
