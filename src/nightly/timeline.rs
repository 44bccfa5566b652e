//! The history as verdicts look at it: what was before tonight.

use super::history::{Kind, Night, Past, Point, Series};

/// The history as verdicts look at it.
#[derive(Debug, Clone, Copy)]
pub struct Timeline<'a> {
    /// The nights, oldest first; tonight may be among them, if it is gone on with.
    pub nights: &'a [Night],
    /// The series.
    pub pasts: &'a [Past],
    /// Tonight.
    pub tonight: &'a Night,
}

impl<'a> Timeline<'a> {
    /// The past of a series, without tonight.
    pub fn of(&self, series: &Series) -> Option<Past> {
        let past = self.pasts.iter().find(|past| past.series.id() == series.id())?;
        let mut past = past.clone();
        past.points.retain(|point| self.nights[point.night].started < self.tonight.started);
        let points = past.points.len();
        past.levels.retain(|level| level.from < points);
        Some(past)
    }

    /// Whether an earlier night has a figure of this name, whatever else it was keyed by.
    pub fn has_measured(&self, series: &Series) -> bool {
        let is_before = |point: &Point| self.nights[point.night].started < self.tonight.started;
        self.pasts.iter().any(|past| {
            past.series.is_of_name(series)
                && past.points.iter().any(|point| point.value.is_some() && is_before(point))
        })
    }

    /// The series that stand in the night before, of speeds in the last one of this machine, one per figure.
    pub fn last_night(&self) -> Vec<&'a Series> {
        let before: Vec<_> = (self.nights.iter().enumerate())
            .filter(|(_, night)| night.started < self.tonight.started)
            .collect();
        let last = before.last().map(|(index, _)| *index);
        let here = before.iter().rfind(|(_, night)| night.host == self.tonight.host);
        let here = here.map(|(index, _)| *index);
        let mut found: Vec<&Series> = Vec::new();
        for past in self.pasts {
            let (night, series) = match past.series.kind {
                Kind::Quality => (last, &past.series),
                Kind::Speed if past.series.host != self.tonight.host => continue,
                Kind::Speed => (here, &past.series),
            };
            let stands = past.points.iter().any(|point| Some(point.night) == night);
            if stands && !found.iter().any(|known| known.is_of_name(series)) {
                found.push(series);
            }
        }
        found
    }

    /// The series of a system that were measured last, one per metric.
    pub fn latest_of(&self, system: &str, kind: Kind, host: &str) -> Vec<&'a Series> {
        let mut latest: Vec<(&Series, usize)> = Vec::new();
        for past in self.pasts {
            let series = &past.series;
            let of_host = kind == Kind::Quality || series.host == host;
            let Some(last) = past.points.last().filter(|_| of_host) else {
                continue;
            };
            if series.system != system || series.kind != kind {
                continue;
            }
            match latest.iter_mut().find(|(known, _)| known.metric == series.metric) {
                Some(known) if known.1 < last.night => *known = (series, last.night),
                Some(_) => {}
                None => latest.push((series, last.night)),
            }
        }
        latest.into_iter().map(|(series, _)| series).collect()
    }
}
