//! The maps in docs/ fit the lines in docs/.

use commands::import::{Map, Options, import};
use tests::given::parse;
use tests::stores::{Backend, Store};

use super::{file, service, state};

const LEADS: &str = include_str!("../../../docs/maps/leads.toml");
const EDUCATION: &str = include_str!("../../../docs/lines/education-leads.toml");

const COLUMNS: &str = "Prospect ID,Lead Number,Lead Origin,Lead Source,Do Not Email,Do Not Call,Converted,\
TotalVisits,Total Time Spent on Website,Page Views Per Visit,Last Activity,Country,Specialization,\
How did you hear about X Education,current occupation,What matters most to you in choosing a course,\
Tags,Lead Quality,Lead Profile,City,Asymmetrique Activity Index,Asymmetrique Profile Index,\
Asymmetrique Activity Score,Asymmetrique Profile Score,A free copy of Mastering The Interview,\
Last Notable Activity";

#[tokio::test]
async fn leads_come_in_pooled_or_won_and_what_was_not_chosen_is_absent() {
    let store = Store::fresh(Backend::Sqlite).await;
    let service = service(&store, EDUCATION).await;
    let rows = "a-1,1,API,Olark Chat,No,No,0,3,674,2.5,Email Opened,India,Select,Select,Student,\
                Better Career Prospects,Interested  in full time MBA,,Select,Mumbai,02.Medium,01.High,15,18,No,Modified\n\
                a-2,2,Landing Page Submission,,Yes,No,1,,,,,unknown,\"Banking, Investment And Insurance\",,,,\
                ,Might be,Potential Lead,Thane & Outskirts,,,,,Yes,SMS Sent\n\
                a-3,3,API,google,No,No,2,0,0,0,,,,,,,,,,,,,,,No,Modified\n\
                a-4,4,Fax,Google,No,No,0,0,0,0,,,,,,,,,,,,,,,No,Modified\n";
    let (_folder, path) = file(format!("{COLUMNS}\n{rows}").as_bytes());
    let (map, line) = (Map::parse(LEADS).unwrap(), parse("education-leads"));
    let summary = import(&service, &map, &line, &path, Options::default(), &mut |_| ()).await.unwrap();
    assert_eq!((summary.accepted, summary.won, summary.rows), (2, 1, 4));
    assert_eq!(summary.rejected, [("field_value_invalid".into(), 1), ("value_unknown".into(), 1)].into());
    let state = state(&service).await;
    let (_, first) = &state.clues["a-1"];
    let values = first[1]["fields_set"]["values"].as_object().unwrap();
    assert_eq!(values["tag"]["choice"], "interested-in-full-time-mba");
    assert_eq!(values["activity-index"]["choice"], "medium");
    assert_eq!(values["page-views-per-visit"]["number"], "2.5");
    assert!(!values.contains_key("specialization") && !values.contains_key("lead-quality"));
    assert_eq!(first[2], serde_json::json!({ "pooled": {} }));
    let (_, second) = &state.clues["a-2"];
    assert_eq!(second[0]["captured"]["source"]["channel"], "unknown");
    assert_eq!(second[1]["fields_set"]["values"]["country"], serde_json::Value::Null);
    assert_eq!(second[2]["won"]["stage"], "enrolled");
}
