//! Leaderboards: with ties and refused submissions, and crowded.

use super::*;

/// Four submissions ranked, two not.
pub fn leaderboard() -> Record {
    let standing = |name: &str, rank: u64, range: [u64; 2], level: f64, ranks: [u64; 2]| {
        let half = 1.96 * 0.0031;
        let measure = |v: f64| Measure::estimated(v, 0.0031, [v - half, v + half]);
        Standing {
            name: name.into(),
            rank,
            rank_range: Some(range),
            scores: scores(level),
            public: Some(measure(0.1151 + level)),
            private: Some(measure(0.1169 + level)),
            public_rank: Some(ranks[0]),
            private_rank: Some(ranks[1]),
            comparability_key: "b1946ac92492d234".into(),
        }
    };
    let results = LeaderboardResults {
        n: 3771,
        references: 3771,
        ranked_by: "fgd_paired".into(),
        split: Some(Split {
            source: "seed".into(),
            seed: Some(7),
            public: 1131,
            private: 2640,
            rank_correlation: Some(0.67),
        }),
        standings: vec![
            standing("v6-florence.csv", 1, [1, 2], -0.0012, [2, 1]),
            standing("v5 \"final\" <i>.csv", 2, [1, 2], 0.0, [1, 2]),
            standing("Süßes-Kätzchen-日本.csv", 3, [3, 3], 0.0417, [3, 3]),
            standing("=HYPERLINK(1).csv", 4, [4, 4], 0.3312, [4, 4]),
        ],
        differences: vec![
            difference(
                ("fgd_paired", false),
                ("v5 \"final\" <i>.csv", "v6-florence.csv"),
                Measure::estimated(0.0012, 0.0011, [-0.00096, 0.00336]),
                0.28,
            ),
            difference(
                ("fgd_paired", false),
                ("Süßes-Kätzchen-日本.csv", "v5 \"final\" <i>.csv"),
                Measure::estimated(0.0417, 0.0019, [0.03798, 0.04542]),
                0.0001,
            ),
        ],
        rejected: vec![
            Rejected {
                name: "broken.csv".into(),
                reason: "3 problems in the file".into(),
                findings: vec![
                    Finding {
                        severity: Severity::Error,
                        ..finding(
                            "duplicate-id",
                            Some(4),
                            "000001.jpg",
                            "the id stands in rows 3 and 4",
                        )
                    },
                    Finding {
                        severity: Severity::Error,
                        more: 3,
                        ..finding("empty-caption", Some(9), "000007.jpg", "the caption is empty")
                    },
                ],
            },
            Rejected {
                name: "old-run.json".into(),
                reason: "another comparability key: its encoder is intfloat/e5-small-v2".into(),
                findings: Vec::new(),
            },
        ],
    };
    let mut record = record(Results::Leaderboard(Box::new(results)), "v6-florence.csv");
    record.inputs = vec![input("references", "hidden.csv", 3771)];
    record
}

/// A leaderboard of many submissions, as a competition has.
pub fn crowded(submissions: u64) -> Record {
    let mut record = leaderboard();
    if let Results::Leaderboard(results) = &mut record.results {
        let first = results.standings[0].clone();
        results.standings = (1..=submissions)
            .map(|rank| Standing {
                name: format!("team {rank}/submission.csv"),
                rank,
                rank_range: Some([rank.saturating_sub(3).max(1), (rank + 3).min(submissions)]),
                public_rank: Some(submissions + 1 - rank),
                private_rank: Some(rank),
                scores: scores(rank as f64 / 4000.0),
                ..first.clone()
            })
            .collect();
        results.differences.clear();
    }
    record
}
