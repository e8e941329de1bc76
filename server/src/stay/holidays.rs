//! Public holidays, on whose eves it is weekend for [`Season`](super::model::Season).

use crate::kit::date::Date;

/// One date a line; what stands behind it is for people.
const KOREAN: &str = include_str!("holidays_kr.txt");

/// The public holidays of Korea that this release knows.
pub(super) fn korean() -> impl Iterator<Item = Date> {
    let lines = KOREAN.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use chrono::Datelike;

    use super::*;

    #[test]
    fn every_line_is_a_date_and_every_year_is_whole() {
        let lines = KOREAN.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        assert_eq!(korean().count(), lines.count());
        assert!(korean().is_sorted());
        for year in 2026..=2030 {
            let days = korean().filter(|date| date.year() == year).count();
            assert!((18..=24).contains(&days), "{year} has {days}");
        }
    }
}
