//! The date registers of the MC146818: their formats and the calendar.
//!
//! Motorola MC146818A datasheet, "Time, Calendar and Alarm Locations". A guest
//! may put nonsense there; it counts as the number it spells and is carried
//! over at the next update.

/// How the date registers are to be read; bits of register B.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) is_binary: bool,
    pub(super) is_24_hours: bool,
}

const SECONDS: usize = 0x00;
const MINUTES: usize = 0x02;
const HOURS: usize = 0x04;
const DAY_OF_WEEK: usize = 0x06;
const DAY_OF_MONTH: usize = 0x07;
const MONTH: usize = 0x08;
const YEAR: usize = 0x09;
const CENTURY: usize = 0x32;

const PM: u8 = 0x80;
const DAY_SECONDS: i64 = 86_400;

impl Format {
    /// The number that `byte` spells.
    pub(super) fn number(self, byte: u8) -> u32 {
        if self.is_binary {
            u32::from(byte)
        } else {
            u32::from(byte >> 4) * 10 + u32::from(byte & 0xf)
        }
    }

    /// The hour, 0 to 23, that `byte` spells.
    pub(super) fn hour(self, byte: u8) -> u32 {
        if self.is_24_hours {
            return self.number(byte);
        }
        let hour = self.number(byte & !PM) % 12;
        hour + if byte & PM != 0 { 12 } else { 0 }
    }

    /// Spells a number below 100.
    fn spell(self, number: u32) -> u8 {
        if self.is_binary {
            number as u8
        } else {
            (((number / 10 % 10) << 4) | (number % 10)) as u8
        }
    }

    /// Spells an hour, 0 to 23.
    fn spell_hour(self, hour: u32) -> u8 {
        if self.is_24_hours {
            return self.spell(hour);
        }
        let twelve = if hour.is_multiple_of(12) {
            12
        } else {
            hour % 12
        };
        self.spell(twelve) | if hour >= 12 { PM } else { 0 }
    }

    /// Seconds since midnight in the registers `cmos`.
    pub(super) fn time_of_day(self, cmos: &[u8; 128]) -> u32 {
        let seconds = self.number(cmos[SECONDS]) + 60 * self.number(cmos[MINUTES]);
        (seconds + 3600 * self.hour(cmos[HOURS])) % DAY_SECONDS as u32
    }
}

/// Puts the time `seconds` after 1970-01-01 into the registers.
pub(super) fn show(cmos: &mut [u8; 128], format: Format, seconds: i64) {
    let days = seconds.div_euclid(DAY_SECONDS);
    show_time_of_day(cmos, format, seconds.rem_euclid(DAY_SECONDS) as u32);
    show_date(cmos, format, days);
    // 1970-01-01 was a Thursday; Sunday is 1.
    let day_of_week = (days + 4).rem_euclid(7) as u32 + 1;
    cmos[DAY_OF_WEEK] = format.spell(day_of_week);
}

/// Moves the registers on by `seconds`.
pub(super) fn add(cmos: &mut [u8; 128], format: Format, seconds: u64) {
    let day_seconds = DAY_SECONDS as u64;
    let raw = u64::from(format.number(cmos[SECONDS]))
        + 60 * u64::from(format.number(cmos[MINUTES]))
        + 3600 * u64::from(format.hour(cmos[HOURS]))
        + seconds;
    show_time_of_day(cmos, format, (raw % day_seconds) as u32);
    let passed = raw / day_seconds;
    if passed == 0 {
        return;
    }
    // Whatever day of the week the guest says it is, it counts on from there.
    let day_of_week = u64::from(format.number(cmos[DAY_OF_WEEK])) + 6 + passed;
    cmos[DAY_OF_WEEK] = format.spell((day_of_week % 7) as u32 + 1);
    let year = 100 * i64::from(format.number(cmos[CENTURY])) + i64::from(format.number(cmos[YEAR]));
    let month = format.number(cmos[MONTH]).clamp(1, 12);
    let day = i64::from(format.number(cmos[DAY_OF_MONTH]));
    let days = days_of_month_start(year, month) + day - 1 + passed.cast_signed();
    show_date(cmos, format, days);
}

/// How many updates from `now`, in seconds since midnight, until the time of
/// day matches; `None` matches anything. At least 1.
pub(super) fn seconds_until(
    now: u32,
    hour: Option<u32>,
    minute: Option<u32>,
    second: Option<u32>,
) -> Option<u64> {
    let day = DAY_SECONDS as u32;
    let candidates = |wanted: Option<u32>, limit: u32| match wanted {
        Some(value) => value..(value + 1).min(limit).max(value),
        None => 0..limit,
    };
    // The first match from `start` on, on one day.
    let first_from = |start: u32| {
        for hour in candidates(hour, 24).filter(|hour| hour * 3600 + 3599 >= start) {
            for minute in candidates(minute, 60) {
                let begin = hour * 3600 + minute * 60;
                if begin + 59 < start {
                    continue;
                }
                let found = candidates(second, 60)
                    .map(|second| begin + second)
                    .find(|&time| time >= start);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    };
    let until = match first_from(now + 1) {
        Some(today) => today - now,
        None => first_from(0)? + day - now,
    };
    Some(u64::from(until))
}

fn show_time_of_day(cmos: &mut [u8; 128], format: Format, seconds: u32) {
    cmos[SECONDS] = format.spell(seconds % 60);
    cmos[MINUTES] = format.spell(seconds / 60 % 60);
    cmos[HOURS] = format.spell_hour(seconds / 3600);
}

fn show_date(cmos: &mut [u8; 128], format: Format, days: i64) {
    let (year, month, day) = date_of(days);
    cmos[DAY_OF_MONTH] = format.spell(day);
    cmos[MONTH] = format.spell(month);
    cmos[YEAR] = format.spell(year.rem_euclid(100) as u32);
    cmos[CENTURY] = format.spell(year.div_euclid(100).rem_euclid(100) as u32);
}

/// Days from 1970-01-01 to the first of `month` (1 to 12) of `year`.
fn days_of_month_start(year: i64, month: u32) -> i64 {
    /// Days before each month of a year that begins in March.
    const BEFORE: [i64; 12] = [306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275];
    // Years that begin in March end with the leap day.
    let year = if month <= 2 { year - 1 } else { year };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let index = (month as usize).saturating_sub(1).min(11);
    // 719468 days from 0000-03-01 to 1970-01-01.
    year * 365 + leap_days + BEFORE[index] - 719_468
}

/// Year, month and day of the month, `days` after 1970-01-01.
fn date_of(days: i64) -> (i64, u32, u32) {
    // A guess that is at most one year off, then put right.
    let mut year = 1970 + days.div_euclid(366);
    year += (days - days_of_month_start(year, 1)).div_euclid(366);
    while days_of_month_start(year + 1, 1) <= days {
        year += 1;
    }
    let mut month = 12;
    while month > 1 && days_of_month_start(year, month) > days {
        month -= 1;
    }
    let day = days - days_of_month_start(year, month) + 1;
    (year, month, day as u32)
}

#[cfg(test)]
mod tests {
    use super::{date_of, days_of_month_start, seconds_until};

    #[test]
    fn dates_and_days_agree_for_a_thousand_years() {
        for days in -100_000..400_000 {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of_month_start(year, month) + i64::from(day) - 1, days);
            assert!((1..=31).contains(&day), "{days}: {year}-{month}-{day}");
        }
        assert_eq!(date_of(0), (1970, 1, 1));
        assert_eq!(date_of(11_016), (2000, 2, 29));
        assert_eq!(date_of(19_782), (2024, 2, 29));
    }

    #[test]
    fn the_alarm_finds_its_next_match() {
        assert_eq!(seconds_until(0, None, None, None), Some(1));
        assert_eq!(seconds_until(0, None, None, Some(0)), Some(60));
        assert_eq!(seconds_until(59, None, None, Some(0)), Some(1));
        assert_eq!(seconds_until(3600, Some(1), Some(0), Some(0)), Some(86_400));
        assert_eq!(seconds_until(86_399, None, None, None), Some(1));
        assert_eq!(seconds_until(0, None, Some(30), None), Some(1800));
        assert_eq!(seconds_until(0, Some(77), None, None), None);
        assert_eq!(seconds_until(0, None, Some(60), None), None);
    }
}
