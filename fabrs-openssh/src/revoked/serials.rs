//! Sets of revoked serial numbers: ranges and bitmaps, as compact as in the file.

use super::wire_reader::WireReader;

/// The revoked serial numbers of an authority. The set never contains 0.
#[derive(Clone, Debug, Default)]
pub(super) struct RevokedSerials {
    /// The first and last serial of each range.
    ranges: Vec<(u64, u64)>,
    bitmaps: Vec<SerialBitmap>,
}

/// A bit for each serial, starting at `first`.
#[derive(Clone, Debug)]
struct SerialBitmap {
    first: u64,
    /// The bits of the lowest serials are in the last byte.
    bytes: Vec<u8>,
}

impl RevokedSerials {
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.bitmaps.is_empty()
    }

    pub(super) fn contains(&self, serial: u64) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&serial))
            || self.bitmaps.iter().any(|bitmap| bitmap.contains(serial))
    }

    /// Reads a list of serials.
    pub(super) fn read_list(&mut self, section: &mut WireReader<'_>) -> Result<(), &'static str> {
        while !section.is_empty() {
            let serial = section.u64()?;
            self.add_range(serial, serial)?;
        }
        Ok(())
    }

    /// Reads the first and the last serial of a range.
    pub(super) fn read_range(&mut self, section: &mut WireReader<'_>) -> Result<(), &'static str> {
        let (first, last) = (section.u64()?, section.u64()?);
        self.add_range(first, last)
    }

    /// Reads the serial of the lowest bit, and a bitmap.
    pub(super) fn read_bitmap(&mut self, section: &mut WireReader<'_>) -> Result<(), &'static str> {
        let first = section.u64()?;
        let bytes = section.integer()?;
        let Some(highest) = bytes.first() else {
            return Ok(());
        };
        let bits = bytes.len() * 8 - highest.leading_zeros() as usize;
        let last = u64::try_from(bits - 1).ok().and_then(|offset| first.checked_add(offset));
        if last.is_none() {
            return Err("a bitmap exceeds the highest serial number");
        }
        let bitmap = SerialBitmap { first, bytes: bytes.to_vec() };
        if bitmap.contains(0) {
            return Err("serial number 0 is not allowed");
        }
        self.bitmaps.push(bitmap);
        Ok(())
    }

    fn add_range(&mut self, first: u64, last: u64) -> Result<(), &'static str> {
        if first == 0 {
            return Err("serial number 0 is not allowed");
        }
        if first > last {
            return Err("a range of serial numbers ends before its start");
        }
        // `ssh-keygen` writes serials in ascending order, so a long list becomes few ranges.
        match self.ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
            _ => self.ranges.push((first, last)),
        }
        Ok(())
    }
}

impl SerialBitmap {
    fn contains(&self, serial: u64) -> bool {
        let bit = serial.checked_sub(self.first).and_then(|offset| usize::try_from(offset).ok());
        let byte = bit.and_then(|bit| self.bytes.iter().nth_back(bit / 8).map(|byte| (byte, bit % 8)));
        byte.is_some_and(|(byte, bit)| byte >> bit & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{RevokedSerials, WireReader};

    fn bitmap(first: u64, bytes: &[u8]) -> Result<RevokedSerials, &'static str> {
        let length = u32::try_from(bytes.len()).expect("a short bitmap").to_be_bytes();
        let section = [&first.to_be_bytes(), &length[..], bytes].concat();
        let mut serials = RevokedSerials::default();
        serials.read_bitmap(&mut WireReader::new(&section)).map(|()| serials)
    }

    fn ranges(ranges: &[(u64, u64)]) -> Result<RevokedSerials, &'static str> {
        let mut serials = RevokedSerials::default();
        for (first, last) in ranges {
            let section = [first.to_be_bytes(), last.to_be_bytes()].concat();
            serials.read_range(&mut WireReader::new(&section))?;
        }
        Ok(serials)
    }

    #[test]
    fn ranges_include_both_ends() {
        let serials = ranges(&[(2, 4), (5, 5), (u64::MAX, u64::MAX), (9, 9)]).expect("good ranges");
        let found: Vec<u64> = (0..12).filter(|serial| serials.contains(*serial)).collect();
        assert_eq!(found, [2, 3, 4, 5, 9]);
        assert!(serials.contains(u64::MAX) && !serials.contains(u64::MAX - 1));
    }

    #[test]
    fn bitmaps_begin_with_their_lowest_serial() {
        let serials = bitmap(10, b"\0\x81\x05").expect("a good bitmap");
        let found: Vec<u64> = (0..100).filter(|serial| serials.contains(*serial)).collect();
        assert_eq!(found, [10, 12, 18, 25]);
        assert!(!serials.contains(u64::MAX));
        assert!(bitmap(0, b"\x02").expect("a good bitmap").contains(1));
        assert!(bitmap(u64::MAX - 1, b"\x02").expect("a good bitmap").contains(u64::MAX));
        assert!(bitmap(u64::MAX, b"\0\0").expect("an empty bitmap").is_empty());
    }

    #[test]
    fn zero_and_invalid_ranges_are_rejected() {
        for bad in [bitmap(0, b"\x01"), bitmap(u64::MAX, b"\x02"), ranges(&[(0, 9)]), ranges(&[(9, 8)])] {
            assert!(bad.is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_range_of_all_serials_takes_the_space_of_one() {
        let serials = ranges(&[(1, u64::MAX)]).expect("a good range");
        assert_eq!(serials.ranges.len(), 1);
        assert!(serials.contains(1) && serials.contains(u64::MAX) && !serials.contains(0));
    }
}
