//! Files of made-up clues, for the map `docs/maps/used-car-clues.toml`: people with names and phones
//! as operators write them, dates, repeats, and rows broken in every known way, in known counts. The
//! same seed makes the same bytes.

use std::collections::BTreeMap;

use crate::random::Random;

/// The columns of a file.
pub const COLUMNS: [&str; 14] = [
    "编号",
    "渠道",
    "活动",
    "姓名",
    "电话",
    "备用电话",
    "微信",
    "时间",
    "预算",
    "品牌",
    "城市",
    "座位数",
    "状态",
    "成交价",
];
const NOTE: &str = "备注";
const MAP: &str = include_str!("../../docs/maps/used-car-clues.toml");

/// The map for generated files; by numbers for files without a header.
#[must_use]
pub fn map(header: bool) -> String {
    let columns = COLUMNS.iter().chain([&NOTE]).enumerate();
    columns.fold(MAP.to_owned(), |map, (place, name)| {
        if header { map } else { map.replace(&format!("\"{name}\""), &(place + 1).to_string()) }
    })
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// GB18030 instead of UTF-8.
    pub gb18030: bool,
    /// What ends a row.
    pub line_end: &'static str,
    /// What is between cells.
    pub separator: char,
    /// Whether the first row names the columns.
    pub header: bool,
    /// Whether the file ends with a line end.
    pub ends_with_line_end: bool,
}

/// A form of file that most programs write.
pub const PLAIN: Form =
    Form { gb18030: false, line_end: "\n", separator: ',', header: true, ends_with_line_end: true };

/// Ways in which a row is broken, with the code that tells it. A quote that nothing closes is told
/// by what comes after it: both codes of quotes count as this one.
pub const BROKEN: [&str; 13] = [
    "quote_misplaced",
    "column_count",
    "nul_byte",
    "encoding_invalid",
    "source_key_missing",
    "source_key_invalid",
    "contact_invalid",
    "occurred_at_invalid",
    "occurred_at_in_future",
    "field_value_invalid",
    "value_unknown",
    "need_invalid",
    "name_too_long",
];

/// How much of what is in a file.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// People, each with one clue.
    pub people: usize,
    /// Further clues of people who have one, their phone written in another way.
    pub again: usize,
    /// Rows whose source key is another row's.
    pub repeated: usize,
    /// Rows broken in each of the ways.
    pub broken: usize,
    /// Clues whose customer depends on the order of rows: pairs of a few phones.
    pub tangled: usize,
}

/// A file and what an import of it must come to.
#[derive(Debug)]
pub struct Generated {
    /// The file.
    pub bytes: Vec<u8>,
    /// Rows without header and blank lines.
    pub rows: u64,
    /// Clues that are new.
    pub accepted: u64,
    /// Those of them that are won.
    pub won: u64,
    /// Rows that repeat a source key.
    pub known: u64,
    /// Broken rows by code.
    pub rejected: BTreeMap<String, u64>,
    /// Broken rows with their line, byte for byte.
    pub rejected_rows: Vec<(u64, Vec<u8>)>,
    /// Customers, when nothing is tangled.
    pub customers: i64,
}

/// One row before it is written.
#[derive(Clone)]
struct Row {
    cells: Vec<String>,
    broken: Option<&'static str>,
}

/// Makes a file.
#[must_use]
pub fn generate(seed: u64, form: Form, amounts: Amounts) -> Generated {
    let mut random = Random::new(seed);
    let mut rows: Vec<Row> = Vec::new();
    let mut won = 0;
    for index in 0..amounts.people + amounts.again {
        let person = if index < amounts.people { index } else { random.below(amounts.people) };
        let cells = clue(&mut random, &format!("K{index:06}"), person);
        won += u64::from(cells[12] == "成交");
        rows.push(Row { cells, broken: None });
    }
    for index in 0..amounts.tangled {
        let mut cells = clue(&mut random, &format!("T{index:06}"), 0);
        let phone = |random: &mut Random| phone(900_000 + random.below(amounts.tangled.div_ceil(2)));
        (cells[4], cells[5]) = (phone(&mut random), phone(&mut random));
        cells[6].clear();
        won += u64::from(cells[12] == "成交");
        rows.push(Row { cells, broken: None });
    }
    let accepted = rows.len();
    for _ in 0..amounts.repeated {
        let mut copy = rows[random.below(accepted)].clone();
        // The source's key is what counts, not what the source says now.
        copy.cells[8] = "99".to_owned();
        rows.push(copy);
    }
    for (kind, code) in BROKEN.into_iter().enumerate() {
        for index in 0..amounts.broken {
            let mut cells = clue(&mut random, &format!("B{code}{index}"), 800_000 + kind * 1_000 + index);
            break_cell(&mut cells, code, index);
            rows.push(Row { cells, broken: Some(code) });
        }
    }
    for index in (1..rows.len()).rev() {
        rows.swap(index, random.below(index + 1));
    }
    let mut generated = write(&mut random, form, &rows);
    generated.accepted = accepted as u64;
    generated.won = won;
    generated.known = amounts.repeated as u64;
    generated.customers = amounts.people.try_into().unwrap_or(i64::MAX);
    generated
}

fn clue(random: &mut Random, key: &str, person: usize) -> Vec<String> {
    let first = phone(person);
    let mut written = written(random, &first);
    let mut second = String::new();
    match random.below(5) {
        0 => second = phone(500_000 + person),
        1 => written = format!("{written} / {}", phone(500_000 + person)),
        _ => {}
    }
    let day = 1 + random.below(28);
    let clock = format!("{:02}:{:02}", random.below(24), random.below(60));
    let time = match random.below(5) {
        0 => format!("2026-03-{day:02} {clock}:00"),
        1 => format!("2026/3/{day} {clock}"),
        2 => format!("2026年3月{day}日"),
        3 => format!("2026-03-{day:02}T{clock}:30+08:00"),
        _ => String::new(),
    };
    let status = random.of(&["公海", "公海", "成交", "", "无"]);
    let price = if status == "成交" && random.below(2) == 0 { "12.58" } else { "" };
    let note = match random.below(4) {
        0 => format!("周末看车, 带家人;价格|面议\n第二行 {}", random.below(100)),
        1 => "说\"再便宜点\"就买".to_owned(),
        _ => String::new(),
    };
    let plain = [
        random.of(&["官网", "400热线", "朋友介绍", "车展", "Baidu Search", ""]),
        random.of(&["五一大促", ""]),
        random.of(&["王芳", "李伟", "欧阳娜娜", "陈\u{20bb7}", "Anna Müller", ""]),
    ];
    let mut cells = vec![key.to_owned()];
    cells.extend(plain.map(str::to_owned));
    cells.extend([written, second, format!("wx_{person:06}"), time]);
    cells.extend(
        [
            random.of(&["10-15", "15万以内", "20以上", "8.88", "未填写"]),
            random.of(&["大众、丰田", "宝马", ""]),
            random.of(&["北京", "上海", "外地", ""]),
            random.of(&["5", "7", ""]),
            status,
            price,
        ]
        .map(str::to_owned),
    );
    cells.push(note);
    cells
}

/// A mobile number of its own for each person.
fn phone(person: usize) -> String {
    format!("13{}{:08}", person % 10, (person * 7_919) % 100_000_000)
}

/// A number in one of the ways in which people write it.
fn written(random: &mut Random, phone: &str) -> String {
    let (a, b, c) = (&phone[..3], &phone[3..7], &phone[7..]);
    let wide = |text: &str| -> String {
        text.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c)).collect()
    };
    match random.below(6) {
        0 => format!("+86 {a} {b} {c}"),
        1 => format!("0086-{a}-{b}-{c}"),
        2 => wide(phone),
        3 => format!("(86) {a}-{b}-{c}"),
        4 => format!("{a} {b} {c}"),
        _ => phone.to_owned(),
    }
}

fn break_cell(cells: &mut Vec<String>, code: &str, index: usize) {
    let (place, text) = match code {
        "column_count" if index.is_multiple_of(2) => {
            cells.truncate(9);
            return;
        }
        "column_count" => {
            cells.push("多余".to_owned());
            return;
        }
        "source_key_missing" => (0, String::new()),
        "source_key_invalid" => (0, "K".repeat(129)),
        "contact_invalid" => (4, "打错了".to_owned()),
        "occurred_at_invalid" => (7, "2026-02-30 10:00".to_owned()),
        "occurred_at_in_future" => (7, "2099-01-01 10:00".to_owned()),
        "field_value_invalid" if index.is_multiple_of(2) => (10, "火星".to_owned()),
        "field_value_invalid" => (11, "88".to_owned()),
        "value_unknown" => (12, "不知道".to_owned()),
        "need_invalid" => (8, "15-10".to_owned()),
        "name_too_long" => (3, "长".repeat(201)),
        // Broken in its bytes, not in a cell: see `write`.
        _ => return,
    };
    cells[place] = text;
}

fn write(random: &mut Random, form: Form, rows: &[Row]) -> Generated {
    let encode = |text: &str| -> Vec<u8> {
        if form.gb18030 { encoding_rs::GB18030.encode(text).0.into_owned() } else { text.as_bytes().to_vec() }
    };
    let (mut bytes, mut line) = (Vec::new(), 1_u64);
    let mut rejected: BTreeMap<String, u64> = BTreeMap::new();
    let mut rejected_rows = Vec::new();
    if form.header {
        let names: Vec<&str> = COLUMNS.iter().copied().chain([NOTE]).collect();
        bytes.extend(encode(&(names.join(&form.separator.to_string()) + form.line_end)));
        line += 1;
    }
    for (index, row) in rows.iter().enumerate() {
        if random.below(20) == 0 {
            bytes.extend(encode(form.line_end));
            line += 1;
        }
        let mut cells: Vec<Vec<u8>> = row.cells.iter().map(|cell| encode(&quoted(cell, form))).collect();
        if let Some(code) = row.broken {
            // On one line, so that all of it is rejected whichever way it is broken.
            if let Some(note) = cells.get_mut(14) {
                note.clear();
            }
            match code {
                "quote_misplaced" => cells[3] = encode("\"王芳"),
                "nul_byte" => cells[3] = vec![b'W', 0],
                "encoding_invalid" => cells[3] = vec![0xff, b'W'],
                _ => {}
            }
        }
        let mut written = cells.join(form.separator.to_string().as_bytes());
        if index + 1 < rows.len() || form.ends_with_line_end {
            written.extend(encode(form.line_end));
        }
        if let Some(code) = row.broken {
            *rejected.entry(code.to_owned()).or_default() += 1;
            rejected_rows.push((line, written.clone()));
        }
        let inner = if row.broken.is_none() { row.cells[14].matches('\n').count() } else { 0 };
        line += 1 + inner as u64;
        bytes.extend(written);
    }
    let rows = rows.len() as u64;
    Generated { bytes, rows, accepted: 0, won: 0, known: 0, rejected, rejected_rows, customers: 0 }
}

/// A cell as the form writes it: quoted where it must be, line ends like those of rows.
fn quoted(cell: &str, form: Form) -> String {
    if !cell.contains([form.separator, '"', '\n']) {
        return cell.to_owned();
    }
    format!("\"{}\"", cell.replace('"', "\"\"").replace('\n', form.line_end))
}
