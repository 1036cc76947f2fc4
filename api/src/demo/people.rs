//! People of the demo: none of them exists.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const SURNAMES: [&str; 20] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何",
    "郭", "马", "罗",
];
const GIVEN: [&str; 24] = [
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超",
    "秀英", "霞", "平", "刚", "桂英", "子涵", "浩然",
];
const PREFIXES: [&str; 8] = ["138", "139", "150", "158", "159", "186", "187", "188"];

/// Cars that people ask for: brand, model, price in yuan.
pub const CARS: [(&str, &str, i64); 10] = [
    ("大众", "朗逸 2020款 1.5L", 78_000),
    ("丰田", "凯美瑞 2019款 2.0G", 132_000),
    ("本田", "CR-V 2021款 240TURBO", 156_000),
    ("奔驰", "GLB 2020款 200 动感型", 248_000),
    ("宝马", "3系 2021款 325Li", 239_000),
    ("比亚迪", "汉 2022款 EV", 186_000),
    ("日产", "轩逸 2020款 1.6L", 82_000),
    ("奥迪", "A4L 2020款 40 TFSI", 205_000),
    ("吉利", "博越 2021款 1.8TD", 93_000),
    ("特斯拉", "Model 3 2022款", 199_000),
];

/// What customers say on the phone.
pub const REMARKS: [&str; 8] = [
    "想看七座SUV，周末带家人来",
    "预算有限，问能不能分期",
    "已经看过两家，比较价格",
    "想置换旧车，先做评估",
    "希望提供检测报告",
    "只要一手车，不要出租车",
    "下个月才有时间，保持联系",
    "对里程比较在意，五万公里以内",
];

/// Somebody's name.
pub fn name(rng: &mut StdRng) -> String {
    let surname = SURNAMES.choose(rng).copied().unwrap_or(SURNAMES[0]);
    let given = GIVEN.choose(rng).copied().unwrap_or(GIVEN[0]);
    format!("{surname}{given}")
}

/// A mobile number as a person would write it: the same digits come in many forms.
pub fn phone(rng: &mut StdRng) -> String {
    let prefix = PREFIXES.choose(rng).copied().unwrap_or(PREFIXES[0]);
    let rest: u32 = rng.random_range(0..100_000_000);
    let digits = format!("{prefix}{rest:08}");
    match rng.random_range(0..6) {
        0 => format!("+86 {} {} {}", &digits[..3], &digits[3..7], &digits[7..]),
        1 => format!("0086-{digits}"),
        2 => format!("{}-{}-{}", &digits[..3], &digits[3..7], &digits[7..]),
        _ => digits,
    }
}

/// One of these.
pub fn pick<'a, T: ?Sized>(rng: &mut StdRng, from: &[&'a T]) -> Option<&'a T> {
    from.choose(rng).copied()
}
