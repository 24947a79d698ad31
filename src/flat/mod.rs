//! Maps, sets and sorting whose machine code is written once and not again for every type; letters' cases by rule.
//!
//! The standard library's `BTreeMap` and `sort_by` are made for any size, and the compiler makes one to five
//! kilobytes of each for every type that they are used with. Of the page's wasm they were a tenth (150 KiB after
//! brotli). Most maps here hold a few entries, so a sorted list serves them as well with a tenth of the code.
//! Where one holds an entry for each object of a cluster and is changed in any order, it is a list of such lists.

mod arrange;
mod case;
mod map;
mod set;
mod tally;
mod wide;

pub use arrange::Arrange;
pub use case::Case;
pub use map::FlatMap;
pub use set::FlatSet;
pub use tally::Tally;
pub use wide::WideMap;

use std::cmp::Ordering;

/// Where in a sorted list of `len` items the sought one is, or else belongs. `order` tells how the item at an index
/// stands to the sought one.
fn search(len: usize, order: &mut dyn FnMut(usize) -> Ordering) -> Result<usize, usize> {
    // Much is built in order: then the place is the end.
    match len.checked_sub(1).map(&mut *order) {
        None | Some(Ordering::Less) => return Err(len),
        Some(Ordering::Equal) => return Ok(len - 1),
        Some(Ordering::Greater) => {}
    }
    let (mut low, mut high) = (0, len - 1);
    while low < high {
        let middle = low.midpoint(high);
        match order(middle) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => high = middle,
        }
    }
    Err(low)
}
