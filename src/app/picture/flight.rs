//! Dots on their way. Each is one request to the API server, one watch delivery or one packet flow
//! of the trace; it rests where its next step is not known yet. Pure: places in, positions out.

use std::collections::VecDeque;

use kubetab::sim::RequestId;

use super::place::Place;

/// Dots drawn at once. Beyond it, what happens is still counted, only not drawn.
pub const MAX_DOTS: usize = 160;

/// What a dot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DotKind {
    /// A request that only reads.
    Read,
    /// A request that changes something.
    Write,
    /// A watch's delivery.
    Watch,
    /// A packet flow.
    Packet,
}

impl DotKind {
    pub fn word(self) -> &'static str {
        match self {
            DotKind::Read => "read",
            DotKind::Write => "write",
            DotKind::Watch => "watch",
            DotKind::Packet => "packet",
        }
    }
}

/// How it goes with a dot, which gives its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Open,
    Good,
    Bad,
}

/// What happens when a dot arrives.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    Nothing,
    /// A request reached this endpoint (`address`) of this service.
    Hit {
        service: std::rc::Rc<str>,
        endpoint: std::rc::Rc<str>,
    },
}

#[derive(Clone, Debug)]
struct Leg {
    from: Place,
    to: Place,
    /// Milliseconds on the screen.
    span: f64,
    arrival: Arrival,
}

/// A dot on its way.
#[derive(Clone, Debug)]
pub struct Dot {
    pub id: u64,
    pub track: RequestId,
    pub kind: DotKind,
    pub fate: Fate,
    /// Part of what the student does or of what follows from it; others are drawn faintly.
    pub story: bool,
    at: Place,
    legs: VecDeque<Leg>,
    /// Milliseconds into the first leg.
    spent: f64,
    /// Milliseconds that it has rested.
    rested: f64,
    closed: bool,
}

impl Dot {
    /// The place that it left, the place that it goes to, and how far it is (0 to 1).
    pub fn position(&self) -> (&Place, &Place, f64) {
        match self.legs.front() {
            Some(leg) => (&leg.from, &leg.to, (self.spent / leg.span).clamp(0.0, 1.0)),
            None => (&self.at, &self.at, 1.0),
        }
    }

    /// Whether it rests at a place until its next step is known.
    pub fn is_resting(&self) -> bool {
        self.legs.is_empty()
    }
}

/// All dots on their way.
#[derive(Default)]
pub struct Flights {
    dots: Vec<Dot>,
    next: u64,
}

/// Milliseconds after which a dot that hears no more is dropped (its record was lost, or its request
/// hangs: a `watch` stays open for minutes).
const REST_LIMIT: f64 = 2_500.0;

impl Flights {
    /// Sets off a dot from `at`; `None` when there are too many.
    pub fn begin(&mut self, track: RequestId, kind: DotKind, story: bool, at: Place) -> Option<u64> {
        if self.dots.len() >= MAX_DOTS {
            return None;
        }
        self.next += 1;
        self.dots.push(Dot {
            id: self.next,
            track,
            kind,
            fate: Fate::Open,
            story,
            at,
            legs: VecDeque::new(),
            spent: 0.0,
            rested: 0.0,
            closed: false,
        });
        Some(self.next)
    }

    fn find(&mut self, track: RequestId) -> Option<&mut Dot> {
        self.dots
            .iter_mut()
            .find(|d| d.track == track && d.kind != DotKind::Watch)
    }

    /// The place where the dot of `track` is or will be when its known way ends.
    pub fn end_of(&self, track: RequestId) -> Option<Place> {
        let dot = self
            .dots
            .iter()
            .find(|d| d.track == track && d.kind != DotKind::Watch)?;
        Some(dot.legs.back().map_or(&dot.at, |leg| &leg.to).clone())
    }

    /// Sends the dot of `track` on to `to`. Gives `arrival` back when there is no such dot.
    pub fn go(&mut self, track: RequestId, to: Place, span: f64, arrival: Arrival) -> Option<Arrival> {
        let Some(dot) = self.find(track) else {
            return Some(arrival);
        };
        let from = dot.legs.back().map_or(&dot.at, |leg| &leg.to).clone();
        dot.legs.push_back(Leg {
            from,
            to,
            span: span.max(1.0),
            arrival,
        });
        None
    }

    /// Sends dot number `id` on to `to`, and ends it there.
    pub fn go_and_end(&mut self, id: u64, to: Place, span: f64) {
        if let Some(dot) = self.dots.iter_mut().find(|d| d.id == id) {
            let from = dot.at.clone();
            dot.closed = true;
            dot.legs.push_back(Leg {
                from,
                to,
                span: span.max(1.0),
                arrival: Arrival::Nothing,
            });
        }
    }

    /// The dot of `track` ends when it has gone its way.
    pub fn close(&mut self, track: RequestId) {
        if let Some(dot) = self.find(track) {
            dot.closed = true;
        }
    }

    /// Gives the dot of `track` its colour.
    pub fn colour(&mut self, track: RequestId, fate: Fate) {
        if let Some(dot) = self.find(track) {
            dot.fate = fate;
        }
    }

    /// Moves every dot by `ms` of screen time, and returns what arrived.
    pub fn advance(&mut self, ms: f64) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for dot in &mut self.dots {
            let mut left = ms;
            while let Some(leg) = dot.legs.front() {
                let need = leg.span - dot.spent;
                if left < need {
                    dot.spent += left;
                    left = 0.0;
                    break;
                }
                left -= need;
                dot.spent = 0.0;
                if let Some(leg) = dot.legs.pop_front() {
                    dot.at = leg.to;
                    if leg.arrival != Arrival::Nothing {
                        arrivals.push(leg.arrival);
                    }
                }
                dot.rested = 0.0;
            }
            if dot.legs.is_empty() {
                dot.rested += left;
            }
        }
        self.dots
            .retain(|d| !d.legs.is_empty() || (!d.closed && d.rested < REST_LIMIT));
        arrivals
    }

    pub fn dots(&self) -> &[Dot] {
        &self.dots
    }

    /// Whether a dot of the student's story moves.
    pub fn is_busy(&self) -> bool {
        self.dots.iter().any(|d| d.story && !d.legs.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_goes_its_legs_and_brings_its_hit() {
        let mut f = Flights::default();
        f.begin(7, DotKind::Packet, true, Place::Student);
        let hit = Arrival::Hit {
            service: "default/web".into(),
            endpoint: "10.0.0.1:80".into(),
        };
        assert_eq!(
            f.go(7, Place::Service("default/web".into()), 100.0, Arrival::Nothing),
            None
        );
        assert_eq!(f.go(7, Place::Pod("default/a".into()), 100.0, hit.clone()), None);
        assert_eq!(f.advance(50.0), []);
        assert_eq!(f.dots()[0].position().2, 0.5);
        assert_eq!(f.advance(100.0), []);
        assert_eq!(f.dots()[0].position().1, &Place::Pod("default/a".into()));
        assert_eq!(f.advance(100.0), [hit]);
        f.close(7);
        f.advance(1.0);
        assert!(f.dots().is_empty());
        assert!(f.go(7, Place::Student, 1.0, Arrival::Nothing).is_some());
    }

    #[test]
    fn dots_have_a_limit() {
        let mut f = Flights::default();
        for i in 0..1_000 {
            f.begin(i, DotKind::Packet, true, Place::Student);
        }
        assert_eq!(f.dots().len(), MAX_DOTS);
        f.advance(REST_LIMIT + 1.0);
        assert!(f.dots().is_empty(), "what rests for long is dropped");
    }
}
