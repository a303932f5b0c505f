use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{GenericImageView, RgbImage};
use serde_json::{Value, json};
use tsp_mgs_trainer::evaluate::evaluation::{EvaluatedImage, Evaluation, TaskScores};
use tsp_mgs_trainer::evaluate::report::{plots, write_report};

use crate::support::fixtures::{fixture, read};

fn row(image: &str, generator: &str, mos: f64, predicted: f64) -> EvaluatedImage {
    EvaluatedImage {
        image: fixture("images").join(image).into(),
        prompt: "a cat".into(),
        generator: Some(generator.into()),
        style: None,
        mos,
        predicted,
        other: None,
    }
}

fn evaluation(rows: Vec<EvaluatedImage>) -> Evaluation {
    Evaluation {
        task: "perception".into(),
        model: "the model".into(),
        dataset: "the data".into(),
        is_synthetic: false,
        notes: Vec::new(),
        rows,
    }
}

/// Two generators, one with perfect predictions and one with reversed ones. The images exist.
fn small() -> Evaluation {
    let mut rows = vec![
        row("plain.bmp", "right", 1.0, 1.0),
        row("grey.png", "reversed", 1.0, 3.0),
        row("rgba.png", "right", 2.0, 2.0),
        row("grey.jpg", "reversed", 2.0, 2.0),
        row("kept_640x515.png", "right", 4.0, 4.0),
        row("palette_transparent.png", "reversed", 3.0, 1.0),
    ];
    rows[0].style = Some("anime".into());
    evaluation(rows)
}

/// `n` rows without an image, in a mixed order. The errors of the predictions are multiples of 0.1.
fn graded(n: usize) -> Evaluation {
    let graded = |i: usize| row(&format!("missing_{i:02}.png"), "one", 1.0, 1.0 + 0.1 * i as f64);
    evaluation((0..n).map(|i| graded(i * 7 % n)).collect())
}

fn report(evaluations: &[Evaluation]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = write_report(folder.path(), evaluations).expect("a report");
    (folder, written)
}

fn page(evaluation: Evaluation) -> String {
    let (folder, _) = report(&[evaluation]);
    fs::read_to_string(folder.path().join("report.html")).expect("the page")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// The values of an attribute, in order.
fn attributes<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    text.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Each circle's centre in pixels.
fn circles(svg: &str) -> Vec<[f64; 2]> {
    let tags = svg.split("<circle").skip(1).filter_map(|rest| rest.split('>').next());
    tags.map(|tag| ["cx", "cy"].map(|name| attributes(tag, name)[0].parse().expect("a number"))).collect()
}

#[test]
fn the_table_has_a_row_for_each_group() {
    let table = Evaluation { is_synthetic: true, notes: vec!["a warning".into()], ..small() }.to_string();
    // The row of all six images is from SciPy on [1, 3, 2, 2, 4, 1] and [1, 1, 2, 2, 4, 3]. The other rows were computed by hand.
    let expected = "\
perception: the model on the data (synthetic)
note: a warning
                    n              SRCC [95 %]              PLCC [95 %]  PLCC fitted    KRCC   RMSE
all                 6   0.258 [-1.000,  1.000]   0.415 [-1.000,  1.000]        0.768   0.154  1.155
generator reversed  3  -1.000 [     -,      -]  -1.000 [     -,      -]            -  -1.000  1.633
generator right     3   1.000 [     -,      -]   1.000 [     -,      -]            -   1.000  0.000
style anime         1       - [     -,      -]       - [     -,      -]            -       -  0.000
";
    assert_eq!(table, expected);
}

#[test]
fn numbers_in_the_table_stand_below_each_other() {
    let mut evaluation = graded(40);
    evaluation.rows.iter_mut().enumerate().for_each(|(i, row)| row.mos += (i % 9) as f64 / 3.0);
    evaluation.rows.extend(small().rows);
    let table = evaluation.to_string();
    let bracket = |line: &str| line.find('[').unwrap();
    let lines: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(lines.len(), 5, "all, three generators, a style: {table}");
    assert!(lines.iter().all(|line| bracket(line) == bracket(lines[0])), "{table}");
    assert!(!lines[1].contains("-,"), "forty images have an interval: {table}");
}

#[test]
fn the_json_holds_rows_and_metrics() {
    let mut evaluation = small();
    evaluation.rows[0].other = Some(TaskScores { task: "alignment".into(), mos: 2.5, predicted: 2.25 });
    let (folder, _) = report(&[evaluation]);
    let json: Value = serde_json::from_slice(&read(&folder.path().join("evaluation.json"))).unwrap();
    let found = &json[0];
    assert_eq!(found["task"], "perception");
    assert_eq!(found["is_synthetic"], false);
    assert_eq!(found["rows"].as_array().unwrap().len(), 6);
    let expected = json!({
        "image": fixture("images/plain.bmp"), "prompt": "a cat", "generator": "right", "style": "anime",
        "mos": 1.0, "predicted": 1.0, "other": {"task": "alignment", "mos": 2.5, "predicted": 2.25},
    });
    assert_eq!(found["rows"][0], expected);
    let expected = json!({"kind": "generator", "name": "reversed", "metrics": {
        "n": 3, "srcc": -1.0, "srcc_interval": null, "plcc": -1.0, "plcc_interval": null, "plcc_fitted": null,
        "krcc": -1.0, "rmse": (8.0_f64 / 3.0).sqrt(),
    }});
    assert_eq!(found["groups"][1], expected);
}

#[test]
fn the_scatter_plot_has_each_image_at_its_scores() {
    let corners = [(0.0, 0.0), (5.0, 5.0), (1.0, 4.0), (2.5, 2.0)];
    let svg = plots::scatter(&evaluation(corners.map(|(p, m)| row("a.png", "one", m, p)).to_vec())).unwrap();
    let found = circles(&svg);
    assert_eq!(found.len(), 4, "one point an image");
    for ((predicted, mos), [x, y]) in corners.into_iter().zip(&found) {
        let expected_x = found[0][0] + predicted / 5.0 * (found[1][0] - found[0][0]);
        let expected_y = found[0][1] + mos / 5.0 * (found[1][1] - found[0][1]);
        assert!((x - expected_x).abs() <= 1.0, "{predicted} is drawn at {x}, expected {expected_x}");
        assert!((y - expected_y).abs() <= 1.0, "{mos} is drawn at {y}, expected {expected_y}");
    }
    assert!(found[1][0] > found[0][0] && found[1][1] < found[0][1], "to the right and up is more");
}

#[test]
fn up_to_eight_generators_have_colours_and_names() {
    let colours = |n: usize| {
        let rows = (0..20).map(|i| row("a.png", &format!("generator_{}", i % n), 1.0, 2.0)).collect();
        let svg = plots::scatter(&evaluation(rows)).unwrap();
        let points = svg.split("<circle").skip(1).map(|rest| attributes(rest, "fill")[0]);
        (points.collect::<BTreeSet<_>>().len(), svg.matches("generator_").count())
    };
    assert_eq!(colours(1), (1, 1));
    assert_eq!(colours(8), (8, 8));
    assert_eq!(colours(9), (1, 0));
}

#[test]
fn the_calibration_plot_has_a_point_for_each_tenth() {
    // Predictions 0.0, 0.2, … 3.8 in a mixed order. The opinions are greater by 0.3 and 1.1 in turns.
    let rows = (0..20).map(|i| i * 7 % 20).map(|i| {
        let predicted = 0.2 * f64::from(i);
        row("a.png", "one", predicted + 0.7 + if i % 2 == 0 { 0.4 } else { -0.4 }, predicted)
    });
    let frame = plots::scatter(&evaluation([0.0, 5.0].map(|x| row("a.png", "one", x, x)).to_vec())).unwrap();
    let [[left, bottom], [right, top]] = circles(&frame).try_into().unwrap();
    let found = circles(&plots::calibration(&evaluation(rows.collect())).unwrap());
    assert_eq!(found.len(), 10);
    for (bin, [x, y]) in found.into_iter().enumerate() {
        let predicted = 0.1 + 0.4 * bin as f64;
        let expected_x = left + predicted / 5.0 * (right - left);
        let expected_y = bottom + (predicted + 0.7) / 5.0 * (top - bottom);
        assert!((x - expected_x).abs() <= 1.0 && (y - expected_y).abs() <= 1.0, "bin {bin} is at {x}, {y}");
    }
}

#[test]
fn pictures_have_the_plots_size_and_show_its_texts() {
    for svg in [plots::scatter(&small()).unwrap(), plots::calibration(&small()).unwrap()] {
        let png = image::load_from_memory(&plots::png(&svg).unwrap()).unwrap();
        let sides = ["width", "height"].map(|name| attributes(&svg, name)[0].parse::<u32>().unwrap());
        assert_eq!([png.width(), png.height()], sides);

        let dark = |top: u32, bottom: u32| {
            let band = png.view(0, top, png.width(), bottom - top);
            band.pixels().filter(|(_, _, pixel)| pixel.0[..3].iter().all(|&value| value < 100)).count()
        };
        assert_eq!(dark(0, 20), 0, "the margin is empty");
        assert!(dark(20, 70) > 1000, "the title is written, not {} dark pixels", dark(20, 70));
        assert!(dark(1010, 1060) > 500, "the axis is named, not {} dark pixels", dark(1010, 1060));
    }
}

#[test]
fn plots_stand_what_scores_can_be() {
    for rows in [
        vec![row("a.png", "one", 3.0, 3.0)],
        vec![row("a.png", "one", 3.0, 2.0); 12],
        vec![row("a.png", "one", 3.0, f64::NAN), row("a.png", "one", 2.0, -7.5)],
    ] {
        let n_finite = rows.iter().filter(|row| row.predicted.is_finite()).count();
        let evaluation = evaluation(rows);
        let svg = plots::scatter(&evaluation).unwrap();
        assert_eq!(circles(&svg).len(), n_finite);
        plots::png(&svg).unwrap();
        plots::png(&plots::calibration(&evaluation).unwrap()).unwrap();
    }
}

#[test]
fn the_page_lists_the_closest_and_the_furthest_once() {
    for (n, n_closest, n_furthest) in [(1, 1, 0), (5, 3, 2), (16, 8, 8), (40, 8, 8)] {
        let page = page(graded(n));
        let mut sheets = page.split("<h3>").skip(1);
        let cards = |sheet: Option<&str>| -> Vec<usize> {
            let names = sheet.into_iter().flat_map(|sheet| sheet.split("missing_").skip(1));
            names.map(|name| name[..2].parse().unwrap()).collect()
        };
        assert_eq!(cards(sheets.next()), (0..n_closest).collect::<Vec<_>>(), "closest of {n}");
        assert_eq!(cards(sheets.next()), (n - n_furthest..n).rev().collect::<Vec<_>>(), "furthest of {n}");
    }
}

#[test]
fn poor_predictions_are_marked() {
    let mut evaluation = evaluation(vec![row("a.png", "one", 1.0, 2.0), row("b.png", "one", 4.0, 2.9)]);
    evaluation.rows[0].other = Some(TaskScores { task: "alignment".into(), mos: 0.5, predicted: 4.5 });
    let page = page(evaluation);
    let scores = |mos: &str, predicted: &str| {
        format!(r#"<span class="mos">{mos}</span><span class="predicted">{predicted}</span>"#)
    };
    let poor = r#"<b class="poor" title="poor">×</b>"#;
    assert!(page.contains(&format!("{}</dd>", scores("1.00", "2.00"))), "1 apart is not poor");
    assert!(page.contains(&(scores("4.00", "2.90") + poor)), "more is");
    assert!(page.contains(&(scores("0.50", "4.50") + poor)), "the other task is marked, too");
}

#[test]
fn the_page_shows_hostile_texts_as_texts() {
    let hostile = r#""><img src=x onerror='alert(1)'><script>&amp;</script>"#;
    let mut evaluation = Evaluation {
        task: hostile.into(),
        model: hostile.into(),
        dataset: hostile.into(),
        is_synthetic: false,
        notes: vec![hostile.into()],
        rows: vec![row("hostile'><b>.png", hostile, 1.0, 2.0), row("plain.bmp", "one", 2.0, 2.0)],
    };
    evaluation.rows[0].prompt = hostile.into();
    evaluation.rows[0].style = Some(hostile.into());
    evaluation.rows[1].other = Some(TaskScores { task: hostile.into(), mos: 1.0, predicted: 1.0 });
    let page = page(evaluation);
    assert!(!page.contains("<img src=x") && !page.contains("<script") && !page.contains("'><b>"));
    let escaped = "&quot;&gt;&lt;img src=x onerror=&#x27;alert(1)&#x27;&gt;&lt;script&gt;&amp;amp;&lt;&#x2f;script&gt;";
    assert!(page.contains(&format!("title=\"{escaped}\"><bdi>{escaped}</bdi>")), "the prompt is shown");
    assert!(page.contains("default-src 'none'"), "what escaping missed would not run");
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page(Evaluation { notes: vec!["a note".into()], ..small() });
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("url(") && !page.contains("@import")
    );
    assert!(attributes(&page, "href").is_empty());
    let pictures = attributes(&page, "src");
    assert_eq!(pictures.len(), 6);
    assert!(pictures.iter().all(|source| source.starts_with("data:image/jpeg;base64,")));
    assert_eq!(page.matches("<svg role=\"img\"").count(), 2);
    assert!(page.contains("<li>a note</li>"));
}

#[test]
fn thumbnails_are_small_upright_images() {
    let image = |name: &str| -> RgbImage {
        let page = page(evaluation(vec![row(name, "one", 1.0, 1.0)]));
        let data = attributes(&page, "src")[0].strip_prefix("data:image/jpeg;base64,").unwrap();
        image::load_from_memory(&BASE64.decode(data).unwrap()).unwrap().to_rgb8()
    };
    assert_eq!(image("wide_1100x520.png").dimensions(), (256, 121));
    assert_eq!(image("tall_100x333.png").dimensions(), (77, 256));
    assert_eq!(image("pixel_1x1.png").dimensions(), (1, 1));
    assert_eq!(image("orientation_6.jpg").dimensions(), (90, 120), "turned by its EXIF entry");
}

#[test]
fn an_image_that_is_gone_is_named_in_its_place() {
    let page = page(evaluation(vec![row("gone.png", "one", 1.0, 1.0)]));
    assert!(page.contains("<p class=\"missing\">not readable: "), "{page}");
    assert!(attributes(&page, "src").is_empty());
}

#[test]
fn synthetic_is_written_wherever_the_numbers_are() {
    let real = page(small());
    assert!(!real.to_lowercase().contains("synthetic"));
    let synthetic = page(Evaluation { is_synthetic: true, dataset: "x".repeat(200), ..small() });
    assert!(synthetic.contains(r#"<b class="badge">synthetic</b>"#));
    assert_eq!(synthetic.matches(" (synthetic)").count(), 2, "in both plots, however long the data set's name is");
}

#[test]
fn a_report_is_whole_and_replaces_the_last() {
    let alignment = Evaluation { task: "alignment".into(), ..small() };
    let (folder, written) = report(&[small(), alignment, small()]);
    let mut expected = BTreeSet::from(["report.html".to_string(), "evaluation.json".into()]);
    for task in ["perception", "alignment", "perception-2"] {
        for plot in ["scatter", "calibration"] {
            expected.extend(["svg", "png"].map(|kind| format!("{plot}-{task}.{kind}")));
        }
    }
    assert_eq!(names(folder.path()), expected);
    assert_eq!(written[0], folder.path().join("report.html"));
    assert_eq!(written.len(), expected.len());

    let before = read(&folder.path().join("report.html"));
    write_report(folder.path(), &[graded(3)]).unwrap();
    assert_ne!(read(&folder.path().join("report.html")), before);
    assert_eq!(names(folder.path()), expected, "nothing but the report's files");
}

#[test]
fn nothing_is_written_without_predictions() {
    let folder = tempfile::tempdir().unwrap();
    for (evaluations, expected) in [
        (vec![], "there is nothing to report: no task was evaluated"),
        (
            vec![small(), evaluation(vec![])],
            "there is nothing to report: no image of the data was evaluated for perception",
        ),
    ] {
        let error = write_report(&folder.path().join("new"), &evaluations).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_that_cannot_be_replaced_is_named_and_leaves_no_rest() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("report.html");
    fs::create_dir(&taken).unwrap();
    let error = format!("{:#}", write_report(folder.path(), &[small()]).unwrap_err());
    assert!(error.starts_with(&format!("writing {}: ", taken.display())), "{error}");
    assert!(names(folder.path()).iter().all(|name| !name.starts_with('.')), "{:?}", names(folder.path()));
}

#[cfg(unix)]
#[test]
fn a_file_name_need_not_be_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let mut evaluation = small();
    evaluation.rows[0].image = PathBuf::from(OsStr::from_bytes(b"cat\xff.png")).into();
    let (folder, _) = report(&[evaluation]);
    let json: Value = serde_json::from_slice(&read(&folder.path().join("evaluation.json"))).unwrap();
    assert_eq!(json[0]["rows"][0]["image"], "cat\u{fffd}.png");
}
