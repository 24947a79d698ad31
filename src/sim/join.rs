//! Waiting for many futures at once.

use std::cell::Cell;

use futures::future::LocalBoxFuture;

/// The results of these futures, in their order, once all have come: `join_all` of the crate futures, whose code is here
/// once for all types of futures.
pub async fn join_all<T>(all: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let all: Vec<_> = all.into_iter().collect();
    let results: Vec<Cell<Option<T>>> = all.iter().map(|_| Cell::new(None)).collect();
    let parts = all.into_iter().zip(&results);
    let parts =
        parts.map(|(one, result)| Box::pin(async move { result.set(Some(one.await)) }) as LocalBoxFuture<'_, ()>);
    futures::future::join_all(parts.collect::<Vec<_>>()).await;
    results.into_iter().filter_map(Cell::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Sim, Time};
    use std::time::Duration;

    #[test]
    fn results_are_in_order() {
        let sim = Sim::new(1, Time::from_secs(0));
        let clock = sim.clone();
        let all = async move {
            let one = |i: u64| {
                let clock = clock.clone();
                async move {
                    clock.sleep(Duration::from_secs(100 - i)).await;
                    i
                }
            };
            join_all((0..100).map(one)).await
        };
        let done = sim.run_future(all, Time::from_secs(1_000));
        assert_eq!(done, Some((0..100).collect()));
    }
}
