//! Turns real time into virtual time. Pure: it is told what is on the stage, and says how far the
//! world may go. Pacing never changes what happens, only when one sees it.

use std::time::Duration;

use kubetab::value::math::pow;

/// How fast the world goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    Paused,
    /// Virtual seconds per real second.
    Times(f64),
    /// As fast as it goes.
    Max,
    /// Slow where there is something to see, fast where there is not.
    Teaching,
}

impl Pace {
    /// The paces that the page offers.
    pub const OFFERED: [Pace; 4] = [Pace::Teaching, Pace::Times(1.0), Pace::Times(10.0), Pace::Max];

    /// The word for translations and style sheets.
    pub fn word(self) -> &'static str {
        match self {
            Pace::Paused => "paused",
            Pace::Teaching => "teaching",
            Pace::Max => "max",
            Pace::Times(x) if x >= 10.0 => "x10",
            Pace::Times(_) => "x1",
        }
    }
}

/// What is on the stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Situation {
    /// Records wait to be shown.
    pub backlog: bool,
    /// Dots of the story are on their way.
    pub dots: bool,
    /// A command runs, or a pod has not settled: something is to be expected.
    pub expecting: bool,
    /// Something of the story happened in the last frame.
    pub eventful: bool,
}

/// How far the world may go in this frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Advance {
    /// Not at all.
    Hold,
    /// This much virtual time; with `stop`, only to the next event of the story.
    Span { span: Duration, stop: bool },
    /// As far as the frame's budget lasts.
    Free,
}

/// Milliseconds of quiet before teaching pace begins to skip.
const QUIET_MS: f64 = 900.0;
/// The fastest that it skips, in virtual seconds per real second.
const SKIP_MOST: f64 = 60.0;
/// Virtual seconds that are skipped at most before something happens: a pod that never gets ready
/// must not let the days fly by.
const SKIP_LIMIT: f64 = 300.0;
/// A frame counts for at most this many milliseconds: after a hidden tab or a hitch, time does not jump.
const FRAME_MOST: f64 = 100.0;

/// The pacer.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    pace: Pace,
    /// The pace to return to from a pause.
    before: Pace,
    /// Milliseconds of quiet.
    quiet: f64,
    /// Virtual seconds skipped since something happened.
    skipped: f64,
}

impl Default for Pacer {
    fn default() -> Pacer {
        Pacer {
            pace: Pace::Teaching,
            before: Pace::Teaching,
            quiet: 0.0,
            skipped: 0.0,
        }
    }
}

impl Pacer {
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// The pace that it has, or returns to from a pause.
    pub fn chosen(&self) -> Pace {
        if self.pace == Pace::Paused {
            self.before
        } else {
            self.pace
        }
    }

    pub fn is_paused(&self) -> bool {
        self.pace == Pace::Paused
    }

    pub fn set(&mut self, pace: Pace) {
        if pace == Pace::Paused {
            self.pause();
        } else {
            self.pace = pace;
            self.before = pace;
        }
        self.quiet = 0.0;
    }

    pub fn pause(&mut self) {
        if self.pace != Pace::Paused {
            self.before = self.pace;
            self.pace = Pace::Paused;
        }
    }

    pub fn resume(&mut self) {
        if self.pace == Pace::Paused {
            self.pace = self.before;
        }
        self.quiet = 0.0;
    }

    /// Milliseconds of screen time that a frame of `ms` counts for.
    pub fn frame_ms(ms: f64) -> f64 {
        ms.clamp(0.0, FRAME_MOST)
    }

    /// How far the world may go in a frame that lasted `ms` real milliseconds.
    pub fn frame(&mut self, ms: f64, now: Situation) -> Advance {
        let ms = Pacer::frame_ms(ms);
        let times = |x: f64, stop: bool| Advance::Span {
            span: Duration::from_secs_f64(ms * x / 1e3),
            stop,
        };
        match self.pace {
            Pace::Paused => Advance::Hold,
            Pace::Max => Advance::Free,
            Pace::Times(x) => times(x.clamp(0.01, 1e6), false),
            Pace::Teaching => {
                if now.backlog || now.eventful {
                    self.skipped = 0.0;
                }
                if now.backlog {
                    self.quiet = 0.0;
                    return Advance::Hold;
                }
                if now.dots || now.eventful || !now.expecting || self.skipped > SKIP_LIMIT {
                    self.quiet = 0.0;
                } else {
                    self.quiet += ms;
                }
                let skip = self.skip();
                if skip > 1.0 {
                    self.skipped += ms * skip / 1e3;
                }
                times(skip, true)
            }
        }
    }

    /// How many virtual seconds pass per real second now. Doubles every 400 ms of quiet, so that a
    /// skip starts and ends softly.
    pub fn skip(&self) -> f64 {
        pow(2.0, (self.quiet - QUIET_MS).max(0.0) / 400.0).min(SKIP_MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(a: Advance) -> f64 {
        match a {
            Advance::Span { span, .. } => span.as_secs_f64(),
            Advance::Hold => 0.0,
            Advance::Free => f64::INFINITY,
        }
    }

    #[test]
    fn teaching_holds_for_the_story_and_skips_quiet_stretches() {
        let mut p = Pacer::default();
        let story = Situation {
            backlog: true,
            ..Situation::default()
        };
        let waiting = Situation {
            expecting: true,
            ..Situation::default()
        };
        assert_eq!(p.frame(16.0, story), Advance::Hold);
        let spans: Vec<f64> = (0..400).map(|_| secs(p.frame(16.0, waiting)) / 0.016).collect();
        assert!((spans[0] - 1.0).abs() < 1e-6 && (spans[50] - 1.0).abs() < 1e-6);
        assert!((spans[399] - SKIP_MOST).abs() < 1e-3, "{}", spans[399]);
        p.frame(16.0, story);
        assert!(
            (secs(p.frame(16.0, waiting)) - 0.016).abs() < 1e-6,
            "an event ends the skip"
        );
        for _ in 0..400 {
            assert!(
                (secs(p.frame(16.0, Situation::default())) - 0.016).abs() < 1e-6,
                "a settled cluster goes 1×"
            );
        }
    }

    #[test]
    fn pause_and_resume_keep_the_pace() {
        let mut p = Pacer::default();
        p.set(Pace::Times(10.0));
        p.pause();
        p.pause();
        assert_eq!(p.frame(16.0, Situation::default()), Advance::Hold);
        assert_eq!(p.chosen(), Pace::Times(10.0));
        p.resume();
        assert!((secs(p.frame(16.0, Situation::default())) - 0.16).abs() < 1e-6);
        assert!(
            (secs(p.frame(60_000.0, Situation::default())) - 1.0).abs() < 1e-6,
            "a hitch does not jump"
        );
    }
}
