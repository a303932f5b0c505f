use std::fs;

use tsp_mgs_core::options::Options;
use tsp_mgs_core::prompts::{PromptSet, Task};
use tsp_mgs_trainer::data::dataset::{DataArgs, Dataset, Layout, Problem, ProblemKind, Problems, open};

use crate::support::data_folder::{DataFolder, parquet_file, workbook};

const AGIQA_3K: &str = "name,prompt,adj1,adj2,style,mos_quality,std_quality,mos_align,std_align";

/// The problems of a table.
fn problems(args: &DataArgs) -> Vec<Problem> {
    let error = open(args).expect_err("the table is wrong");
    error.downcast::<Problems>().unwrap_or_else(|error| panic!("not about rows: {error:#}")).problems
}

fn message(args: &DataArgs) -> String {
    format!("{:#}", open(args).expect_err("the table is wrong"))
}

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset.items.iter().map(|item| item.name.as_str()).collect()
}

/// Three valid rows in AGIQA-3K's layout, with CRLF as published, and their images in a subfolder.
fn small_agiqa_3k() -> DataFolder {
    let folder = DataFolder::new();
    let rows = [
        AGIQA_3K,
        "sd1.5_lowstep_001.jpg,\"a cat, anime style\",,,anime style,2.5,0.5,3.25,0.5",
        "AttnGAN_normal_000.jpg,statue of a man,,,,0.965602553,0.22,0.40889324,0.61",
        "DALLE2_normal_002.jpg,\"a \"\"red\"\" door\",red,,,5,0.5,0,0.5",
        "",
    ];
    folder.write("data.csv", rows.join("\r\n"));
    folder.images(["images/sd1.5_lowstep_001.jpg", "images/AttnGAN_normal_000.jpg", "images/DALLE2_normal_002.jpg"]);
    folder
}

#[test]
fn agiqa_3k_is_read_as_published() {
    let folder = small_agiqa_3k();
    let dataset = open(&folder.args()).expect("it reads");
    assert_eq!((dataset.name.as_str(), dataset.is_synthetic), ("AGIQA-3K", false));
    assert_eq!(names(&dataset), ["AttnGAN_normal_000.jpg", "DALLE2_normal_002.jpg", "sd1.5_lowstep_001.jpg"]);
    let [man, door, cat] = dataset.items.as_slice() else { panic!("three items") };
    assert_eq!((man.perception, man.alignment, man.line), (Some(0.965602553), Some(0.40889324), 3));
    assert_eq!((man.generator.as_deref(), man.style.as_deref()), (Some("AttnGAN"), None));
    assert_eq!((cat.generator.as_deref(), cat.style.as_deref()), (Some("sd1.5"), Some("anime style")));
    assert_eq!((cat.prompt.as_str(), door.prompt.as_str()), ("a cat, anime style", "a \"red\" door"));
    assert_eq!(man.image, folder.file("images/AttnGAN_normal_000.jpg").into());
    assert!(dataset.skipped.is_empty());
}

#[test]
fn a_readme_that_says_so_makes_a_set_synthetic() {
    let folder = small_agiqa_3k();
    folder.write("README.txt", "Images and scores\nare not synthetic.\n");
    assert!(!open(&folder.args()).expect("it reads").is_synthetic, "only the first line counts");
    folder.write("README.txt", "Synthetic images and scores\n");
    let dataset = open(&folder.args()).expect("it reads");
    assert_eq!((dataset.is_synthetic, dataset.name.as_str()), (true, "synthetic"));
}

#[test]
fn agiqa_1k_is_read_from_its_workbook() {
    let folder = DataFolder::new();
    let rows = [
        ("deepai_0_0_0_1.jpg", "bird, driving aircraft, city, realistic style", 4.159_969_360_254_004),
        ("dreamStudio_8_9_1_1.jpg", "alien, wearing shirt, wild, realistic style", 0.441_415_543_995_813_1),
        ("dreamStudio_8_9_1_1.jpg", "alien, wearing shirt, wild, realistic style", 2.084_115_711_537_598),
    ];
    folder.write("AIGC_MOS_Zscore.xlsx", workbook(&rows));
    folder.write("AIGC_all.csv", "Image,Score\r\ndeepai_0_0_0_1.jpg,3.5\r\n");
    folder.images(["deepai_0_0_0_1.jpg", "dreamStudio_8_9_1_1.jpg"]);

    let twice = problems(&folder.args());
    assert_eq!(
        twice.iter().map(|problem| (problem.kind, problem.line)).collect::<Vec<_>>(),
        [(ProblemKind::DuplicateName, 3), (ProblemKind::DuplicateName, 4)]
    );
    assert!(twice[0].to_string().contains("other scores or another prompt on line 4"), "{}", twice[0]);

    let dataset = open(&DataArgs { skip_bad: true, ..folder.args() }).expect("it reads");
    assert_eq!((dataset.name.as_str(), &dataset.skipped), ("AGIQA-1K", &twice));
    let [bird] = dataset.items.as_slice() else { panic!("one item: which of two scores is right cannot be told") };
    assert_eq!((bird.perception, bird.alignment, bird.line), (Some(rows[0].2), None, 2));
    assert_eq!((bird.generator.as_deref(), bird.style.as_deref()), (Some("deepai"), Some("realistic style")));
    assert_eq!(bird.prompt, rows[0].1);
}

#[test]
fn agiqa_1k_raw_means_take_their_prompts_from_what_lies_beside() {
    let folder = DataFolder::new();
    folder.write("AIGC_all.csv", "Image,Score\r\ndeepai_0_0_0_0.jpg,2.5\r\ndeepai_0_0_0_1.jpg,3.5\r\n");
    folder.images(["deepai_0_0_0_0.jpg", "deepai_0_0_0_1.jpg"]);
    let prompts = || -> Vec<String> {
        let dataset = open(&folder.args_of("AIGC_all.csv")).expect("it reads");
        assert_eq!(dataset.items.iter().map(|item| item.perception).collect::<Vec<_>>(), [Some(2.5), Some(3.5)]);
        dataset.items.into_iter().map(|item| item.prompt).collect()
    };
    assert_eq!(prompts(), ["", ""]);

    folder.write("splits/1/train.csv", "Image,Prompt,MOS\ndeepai_0_0_0_1.jpg,\"a, b, city, anime style\",1.5\n");
    let missing = problems(&folder.args_of("AIGC_all.csv"));
    assert_eq!(missing.len(), 1);
    let expected =
        format!("{}:2: deepai_0_0_0_0.jpg: expected a prompt, found nothing", folder.file("AIGC_all.csv").display());
    assert_eq!(missing[0].to_string(), expected);
    folder.write("splits/1/val.csv", "Image,Prompt,MOS\ndeepai_0_0_0_0.jpg,from a list,1.5\n");
    assert_eq!(prompts(), ["from a list", "a, b, city, anime style"]);

    let rows = [("deepai_0_0_0_1.jpg", "two", 1.0), ("deepai_0_0_0_0.jpg", "one", 2.0)];
    folder.write("AIGC_MOS_Zscore.xlsx", workbook(&rows));
    assert_eq!(prompts(), ["one", "two"], "the workbook goes before lists");
}

#[test]
fn aigciqa2023_has_its_images_in_a_folder_a_generator() {
    let folder = DataFolder::new();
    let rows = [
        "model,image_name,mosz1,mosz2,mosz3,prompt",
        "Controlnet,000-1.png,3.25,2.5,2.75,\"\"\"a corgi\"\"\"",
        "DALLE,000-1.png,2.25,2.5,1.75,\"\"\"a dog saying \"\"I see\"\"\"\"\"",
    ];
    folder.write("all_set.csv", rows.join("\n"));
    folder.images(["allimg/DALLE/000-1.png", "allimg/Controlnet/000-1.png"]);
    let dataset = open(&folder.args()).expect("it reads");
    assert_eq!(
        (dataset.name.as_str(), names(&dataset)),
        ("AIGCIQA2023", vec!["Controlnet/000-1.png", "DALLE/000-1.png"])
    );
    let [corgi, dog] = dataset.items.as_slice() else { panic!("two items") };
    assert_eq!((corgi.perception, corgi.alignment), (Some(3.25), Some(2.75)), "quality and correspondence");
    assert_eq!((corgi.prompt.as_str(), dog.prompt.as_str()), ("a corgi", "a dog saying \"I see\""));
    assert_eq!(dog.generator.as_deref(), Some("DALLE"));
    assert_eq!(dog.image, folder.file("allimg/DALLE/000-1.png").into());
}

#[test]
fn aigiqa_20k_has_no_header_and_its_validation_list_no_scores() {
    let folder = DataFolder::new();
    folder.write("info_train.csv", "DALLE2_0000.png,\"a, b\",3.5\nLCM_SD1.5_0001.png,c,1.25\n");
    folder.write("info_val.csv", "DALLE2_0025.png,\"a, b\"\nDALLE2_0026.png,c\n");
    folder.images(["DALLE2_0000.png", "LCM_SD1.5_0001.png"]);
    let dataset = open(&folder.args()).expect("it reads");
    assert_eq!((dataset.name.as_str(), names(&dataset)), ("AIGIQA-20K", vec!["DALLE2_0000.png", "LCM_SD1.5_0001.png"]));
    assert_eq!((dataset.items[0].perception, dataset.items[0].line), (Some(3.5), 1), "the first row is an image");
    assert_eq!(dataset.items[1].generator.as_deref(), Some("LCM_SD1.5"));

    let error = message(&folder.args_of("info_val.csv"));
    assert!(error.contains("info_val.csv has only names and prompts"), "{error}");
    folder.write("info_train.csv", "name,prompt,mos\nDALLE2_0000.png,a,3.5\n");
    assert_eq!(names(&open(&folder.args()).expect("a header is fine, too")), ["DALLE2_0000.png"]);
}

#[test]
fn any_csv_is_read_by_the_names_of_its_columns() {
    let folder = DataFolder::new();
    folder.write("mine.csv", "id,score,text,file,by\n1,71.5,a cat,x/1.png,me\n2,-3,a dog,x/2.png,\n");
    folder.images(["x/1.png", "x/2.png"]);
    let columns = "image=file,prompt=text,alignment=score,generator=by";
    let dataset = open(&folder.args_with_columns("mine.csv", columns)).expect("it reads");
    assert_eq!(dataset.name, "mine");
    let [cat, dog] = dataset.items.as_slice() else { panic!("two items") };
    assert_eq!((cat.perception, cat.alignment, dog.alignment), (None, Some(71.5), Some(-3.0)));
    assert_eq!((cat.generator.as_deref(), dog.generator.as_deref()), (Some("me"), None));

    folder.write("mine.csv", "file,score\nx/1.png,1e3\nx/2.png,inf\n");
    let infinite = problems(&folder.args_with_columns("mine.csv", "image=file,mos=score"));
    assert_eq!((infinite.len(), infinite[0].line, infinite[0].kind), (1, 3, ProblemKind::ScoreOutOfRange));
    assert!(infinite[0].to_string().ends_with("expected a finite number for perception, found inf"), "{}", infinite[0]);

    let error = message(&folder.args_with_columns("mine.csv", "image=path,mos=score"));
    assert!(error.contains("mine.csv:1: expected a column `path`, found file, score"), "{error}");
}

#[test]
fn parquet_is_read_by_the_names_of_its_columns() {
    let folder = DataFolder::new();
    let rows = [("a.png", Some("a cat"), Some(1.5), 3), ("b.png", Some("a dog"), Some(0.1 + 0.2), 4)];
    folder.write("mine.parquet", parquet_file(&rows));
    folder.images(["a.png", "b.png"]);
    let columns = "image=file,prompt=caption,mos=score,alignment=votes";
    let dataset = open(&folder.args_with_columns("mine.parquet", columns)).expect("it reads");
    let [a, b] = dataset.items.as_slice() else { panic!("two items") };
    assert_eq!((a.prompt.as_str(), a.perception, a.alignment, a.line), ("a cat", Some(1.5), Some(3.0), 1));
    assert_eq!((b.perception, b.alignment, b.line), (Some(0.1 + 0.2), Some(4.0), 2));

    for (columns, expected) in [
        ("image=file,mos=absent", "expected a column `absent`, found file, caption, score, votes, image"),
        ("image=file,mos=image", "column `image`: expected text or numbers, found Struct"),
    ] {
        let error = message(&folder.args_with_columns("mine.parquet", columns));
        assert!(error.contains(expected), "{error}");
    }
    let error = message(&folder.args_of("mine.parquet"));
    assert!(error.contains("--columns"), "{error}");
}

#[test]
fn nulls_in_parquet_are_problems_with_their_row() {
    let folder = DataFolder::new();
    let rows = [("a.png", None, Some(1.5), 3), ("b.png", Some("a dog"), None, 4), ("c.png", Some("x"), Some(2.0), 5)];
    folder.write("mine.parquet", parquet_file(&rows));
    folder.images(["a.png", "b.png", "c.png"]);
    let problems = problems(&folder.args_with_columns("mine.parquet", "image=file,prompt=caption,mos=score"));
    let file = folder.file("mine.parquet");
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            format!("{}:1: a.png: expected a prompt, found nothing", file.display()),
            format!("{}:2: b.png: expected a number for perception, found nothing", file.display()),
        ]
    );
}

/// A table with one problem of each kind, and a valid row.
fn every_problem() -> DataFolder {
    let folder = DataFolder::new();
    let mut table = [
        AGIQA_3K,
        "a_0.jpg,one,,,,1,0,1,0",
        "a_1.jpg,two,,,,5.1,0,-1,0",
        "a_2.jpg,three,,,,many,0,,0",
        "a_3.jpg,four,,,,1,0,1",
        "a_4.jpg,\"five\nlines\",,,,nan,0,1,0",
        "a_5.jpg,six,,,,1,0,1,0",
        "a_6.jpg,seven,,,,1,0,1,0",
        "a_7.jpg,eight,,,,1,0,1,0",
        "a_7.jpg,eight,,,,1,0,1,0",
        "a_8.jpg,nine,,,,1,0,1,0",
        "a_8.jpg,nine,,,,2,0,1,0",
        "a_9.jpg, ,,,,1,0,1,0",
        ",ten,,,,1,0,1,0",
    ]
    .join("\r\n")
    .into_bytes();
    table.extend(b"\r\na_\xff.jpg,eleven,,,,1,0,1,0\r\n");
    folder.write("data.csv", table);
    folder.images(["a_0.jpg", "a_1.jpg", "a_2.jpg", "a_3.jpg", "a_4.jpg", "a_7.jpg", "a_8.jpg", "a_9.jpg"]);
    folder.images(["one/a_6.jpg", "two/a_6.jpg"]);
    folder
}

#[test]
fn all_problems_are_listed_with_their_lines() {
    let folder = every_problem();
    let error = open(&folder.args()).expect_err("the table is wrong");
    let shown = error.to_string().replace(&format!("{}/", folder.path().display()), "");
    let here = folder.path().display();
    let expected = [
        "14 problems: correct the table or the images, or pass --skip-bad to omit these rows",
        "  data.csv:3: a_1.jpg: expected a number in 0 to 5 for perception, found 5.1",
        "  data.csv:3: a_1.jpg: expected a number in 0 to 5 for alignment, found -1",
        "  data.csv:4: a_2.jpg: expected a number for perception, found \"many\"",
        "  data.csv:4: a_2.jpg: expected a number for alignment, found nothing",
        "  data.csv:5: a_3.jpg: expected 9 fields, found 8",
        "  data.csv:6: a_4.jpg: expected a number in 0 to 5 for perception, found nan",
        &format!("  data.csv:8: a_5.jpg: expected an image file in {here}, found none"),
        "  data.csv:9: a_6.jpg: expected one file of that name, found one/a_6.jpg and two/a_6.jpg",
        "  data.csv:11: a_7.jpg: expected a name once, found the same again on line 10",
        "  data.csv:12: a_8.jpg: expected a name once, found other scores or another prompt on line 13",
        "  data.csv:13: a_8.jpg: expected a name once, found other scores or another prompt on line 12",
        "  data.csv:14: a_9.jpg: expected a prompt, found nothing",
        "  data.csv:15: expected the name of an image, found nothing",
        "  data.csv:16: expected UTF-8, found other bytes in field 1",
    ];
    assert_eq!(shown, expected.join("\n"));
}

#[test]
fn skip_bad_goes_on_and_keeps_what_was_left_out() {
    let folder = every_problem();
    let dataset = open(&DataArgs { skip_bad: true, ..folder.args() }).expect("two rows are right");
    assert_eq!(names(&dataset), ["a_0.jpg", "a_7.jpg"]);
    assert_eq!(dataset.skipped, problems(&folder.args()));
    let json = serde_json::to_value(&dataset.skipped).expect("plain data");
    assert_eq!(
        (&json[4]["line"], &json[4]["kind"], &json[4]["name"]),
        (&5.into(), &"unreadable_row".into(), &"a_3.jpg".into())
    );

    folder.write("data.csv", format!("{AGIQA_3K}\na_1.jpg,one,,,,9,0,1,0\n"));
    let error = message(&DataArgs { skip_bad: true, ..folder.args() });
    assert!(error.contains("data.csv:2: a_1.jpg") && error.contains("no usable row"), "{error}");
}

#[test]
fn images_that_are_all_elsewhere_are_one_sentence() {
    let folder = small_agiqa_3k();
    let elsewhere = DataFolder::new();
    let error = message(&DataArgs { images: Some(elsewhere.path().to_owned()), ..folder.args() });
    assert!(error.contains("none of its 3 images is in") && error.contains("--images"), "{error}");
    let error = message(&DataArgs { images: Some(elsewhere.file("absent")), ..folder.args() });
    assert!(error.contains("looking for images in"), "{error}");

    fs::rename(folder.file("images"), elsewhere.file("jpg")).expect("moving");
    let dataset = open(&DataArgs { images: Some(elsewhere.path().to_owned()), ..folder.args() }).expect("it reads");
    assert_eq!(dataset.items[0].image, elsewhere.file("jpg/AttnGAN_normal_000.jpg").into());
}

#[test]
fn a_file_at_its_place_in_the_named_folder_goes_before_others_of_its_name() {
    let folder = small_agiqa_3k();
    folder.images(["images/thumbnails/DALLE2_normal_002.jpg"]);
    assert_eq!(problems(&folder.args())[0].kind, ProblemKind::AmbiguousImage);
    let named = open(&DataArgs { images: Some(folder.file("images")), ..folder.args() }).expect("it reads");
    assert_eq!(named.items[1].image, folder.file("images/DALLE2_normal_002.jpg").into());
}

#[test]
fn the_hash_follows_names_prompts_and_scores_only() {
    let folder = small_agiqa_3k();
    let first = open(&folder.args()).expect("it reads").sha256;
    let text = fs::read_to_string(folder.file("data.csv")).expect("it is there");
    let lines: Vec<&str> = text.lines().collect();
    folder.write("data.csv", [lines[0], lines[3], lines[2], lines[1]].join("\n"));
    fs::rename(folder.file("images"), folder.file("jpg")).expect("moving");
    assert_eq!(open(&folder.args()).expect("it reads").sha256, first, "another order and place");
    for (from, to) in [("statue of a man", "statue of a cat"), ("0.40889324", "0.40889325"), ("\"a cat", "\"a dog")] {
        folder.write("data.csv", text.replace(from, to));
        assert_ne!(open(&folder.args()).expect("it reads").sha256, first, "{from}");
    }
}

#[test]
fn a_task_without_scores_or_prompts_is_refused() {
    let folder = DataFolder::new();
    folder.write("mine.csv", "file,mos,text\na.png,1,x\n");
    folder.images(["a.png"]);
    let refusal = |columns| {
        let args = folder.args_with_columns("mine.csv", columns);
        let dataset = open(&args).expect("a good table");
        let [perception, alignment] = [Task::Perception, Task::Alignment].map(Options::default_for);
        dataset.require(&perception).expect("it has scores of perception");
        let of_alignment = Options { prompts: PromptSet::Adv, ..perception };
        let needs_prompt = dataset.require(&of_alignment).err().map(|error| error.to_string());
        assert_eq!(needs_prompt.is_some(), !columns.contains("prompt"), "{needs_prompt:?}");
        dataset.require(&alignment).map(|()| dataset.items[0].alignment).map_err(|error| error.to_string())
    };
    let error = refusal("image=file,prompt=text,mos=mos").expect_err("it has no scores of alignment");
    assert!(error.contains("mine has no scores of alignment"), "{error}");
    let error = refusal("image=file,mos=mos,alignment=mos").expect_err("it has no prompts");
    assert!(error.contains("mine has no prompts"), "{error}");
    assert_eq!(refusal("image=file,prompt=text,mos=mos,alignment=mos"), Ok(Some(1.0)));
}

#[test]
fn a_folder_or_table_that_is_not_known_says_what_is() {
    let folder = DataFolder::new();
    let error = message(&folder.args());
    assert!(
        error.contains("no table in") && error.contains("data.csv, AGIQA-3K.parquet, AIGC_MOS_Zscore.xlsx"),
        "{error}"
    );
    folder.write("data.csv", "name,quality\na.png,1\n");
    let error = message(&folder.args());
    assert!(error.contains("data.csv:1: expected the first row of a known layout, found name,quality"), "{error}");
    folder.write("all_set.csv", "");
    let error = message(&folder.args());
    assert!(error.contains("two tables of different data sets"), "{error}");
    let error = message(&DataArgs { layout: Some(Layout::Aigciqa2023), ..folder.args() });
    assert!(error.contains("all_set.csv:1: expected the first row of a known layout, found nothing"), "{error}");
    let error = message(&folder.args_of("absent.csv"));
    assert!(error.contains("reading the table") && error.contains("absent.csv"), "{error}");
    folder.write("AIGC.xlsx", "no workbook");
    let error = message(&folder.args_of("AIGC.xlsx"));
    assert!(error.contains("reading the table"), "{error}");
}

#[test]
fn flags_are_saved_and_read_back_and_unknown_ones_refused() {
    let folder = DataFolder::new();
    let args = DataArgs { layout: None, skip_bad: true, ..folder.args_with_columns("a.csv", "image=a,mos=b") };
    let json = serde_json::to_string(&args).expect("plain data");
    assert_eq!(serde_json::from_str::<DataArgs>(&json).expect("what was written"), args);
    let layout = serde_json::from_str::<DataArgs>(r#"{"data": "x", "layout": "agiqa-3k"}"#).expect("defaults").layout;
    assert_eq!(layout, Some(Layout::Agiqa3k));
    let error = serde_json::from_str::<DataArgs>(r#"{"data": "x", "skip": true}"#).expect_err("an unknown field");
    assert!(error.to_string().contains("unknown field `skip`"), "{error}");
}
