//! The checklist: sentences about an object that can be read off one picture and checked on others.
//!
//! The sentences are the model's own words, so it recognises them in the text of a later request, however the judge
//! sets them there.

use super::picture::{COLOR_BINS, Picture, View};

/// The names of the colour bins.
const COLOR_NAMES: [&str; COLOR_BINS] = [
    "red",
    "orange",
    "yellow",
    "lime",
    "green",
    "emerald",
    "turquoise",
    "azure",
    "blue",
    "violet",
    "magenta",
    "pink",
    "dark",
    "gray",
    "pale",
];
const THIRD_NAMES: [&str; 3] = ["upper", "middle", "lower"];

/// One checkable sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Feature {
    /// How much of the object has a colour, in percent.
    ColorShare { bin: usize, percent: u32 },
    /// The colour that stands out in a third of its height.
    ThirdColor { third: usize, bin: usize },
    /// How tall it is for its width, in tenths.
    Tallness { tenths: u32 },
    /// How many clearly different colours it has.
    ColorCount { count: usize },
    /// Which third is wider.
    Widest { third: usize },
}

/// How well a feature is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    Partial,
    No,
}

/// The features of a prompt image: seven, the most that a checklist may have.
pub(super) fn decompose(prompt: &Picture) -> Vec<Feature> {
    let Some(view) = prompt.views.first() else {
        return Vec::new();
    };
    let mut features = vec![
        Feature::ColorCount {
            count: color_count(&view.colors),
        },
        Feature::Tallness {
            tenths: (view.tallness * 10.0).round().clamp(1.0, 99.0) as u32,
        },
    ];
    let first = strongest(&view.colors);
    let mut others = view.colors;
    (0..COLOR_BINS)
        .filter(|bin| are_neighbours(first, *bin))
        .for_each(|bin| others[bin] = 0.0);
    for bin in [first, strongest(&others)] {
        let percent = (near(&view.colors, bin) * 20.0).round() as u32 * 5;
        features.push(Feature::ColorShare {
            bin,
            percent: percent.max(5),
        });
    }
    for third in [0, 2] {
        features.push(Feature::ThirdColor {
            third,
            bin: strongest(&view.thirds[third]),
        });
    }
    features.push(Feature::Widest {
        third: widest(view),
    });
    features
}

impl Feature {
    /// The category of the judge's schema.
    pub fn category(self) -> &'static str {
        match self {
            Self::ColorCount { .. } => "count",
            Self::Tallness { .. } | Self::Widest { .. } => "shape",
            Self::ThirdColor { .. } => "presence",
            Self::ColorShare { .. } => "material_color",
        }
    }

    pub fn sentence(self) -> String {
        match self {
            Self::ColorShare { bin, percent } => {
                format!("about {percent}% of the object is {}", name(bin))
            }
            Self::ThirdColor { third, bin } => {
                format!("a {} part in the {} third", name(bin), THIRD_NAMES[third])
            }
            Self::Tallness { tenths } => {
                format!("{}.{} times as tall as wide", tenths / 10, tenths % 10)
            }
            Self::ColorCount { count } => format!("{count} clearly different colours"),
            Self::Widest { third } => format!("widest in its {} third", THIRD_NAMES[third]),
        }
    }

    /// Finds the sentences of this vocabulary in a text, in their order.
    pub fn find_all(text: &str) -> Vec<Self> {
        let mut found: Vec<(usize, Self)> = vocabulary()
            .into_iter()
            .flat_map(|feature| {
                let sentence = feature.sentence();
                let at: Vec<usize> = text
                    .match_indices(&sentence)
                    .map(|(index, _)| index)
                    .collect();
                at.into_iter()
                    .filter(|index| starts_a_word(text, *index))
                    .map(move |index| (index, feature))
            })
            .collect();
        found.sort_by_key(|(index, _)| *index);
        found.into_iter().map(|(_, feature)| feature).collect()
    }

    /// Checks the feature on all views of a picture together.
    pub fn check(self, picture: &Picture) -> Match {
        let seen: Vec<&View> = picture
            .views
            .iter()
            .filter(|view| view.cover > 0.0)
            .collect();
        if seen.is_empty() {
            return Match::No;
        }
        let mean = |measure: &dyn Fn(&View) -> f32| {
            seen.iter().map(|view| measure(view)).sum::<f32>() / seen.len() as f32
        };
        match self {
            Self::ColorShare { bin, percent } => {
                let off = (mean(&|view| near(&view.colors, bin)) - percent as f32 / 100.0).abs();
                graded(off, 0.13, 0.27)
            }
            Self::ThirdColor { third, bin } => {
                let share = mean(&|view| near(&view.thirds[third], bin));
                graded(1.0 - share, 0.65, 0.85)
            }
            Self::Tallness { tenths } => {
                let off = (mean(&|view| view.tallness.ln()) - (tenths as f32 / 10.0).ln()).abs();
                graded(off, 0.22, 0.5)
            }
            Self::ColorCount { count } => {
                let off = (mean(&|view| color_count(&view.colors) as f32) - count as f32).abs();
                graded(off, 0.8, 1.6)
            }
            Self::Widest { third } => {
                let behind = mean(&|view| {
                    view.widths.iter().fold(0.0_f32, |a, b| a.max(*b)) - view.widths[third]
                });
                graded(behind, 0.06, 0.2)
            }
        }
    }
}

impl Match {
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Partial => "partial",
            Self::No => "no",
        }
    }

    pub fn note(self) -> &'static str {
        match self {
            Self::Yes => "clearly visible in the views",
            Self::Partial => "only roughly so",
            Self::No => "not seen in any view",
        }
    }
}

/// Two to four words for the object.
pub(super) fn main_object(prompt: &Picture) -> String {
    let Some(view) = prompt.views.first() else {
        return "unknown object".to_owned();
    };
    let build = if view.tallness > 1.35 {
        "tall"
    } else if view.tallness < 0.75 {
        "wide"
    } else {
        "compact"
    };
    format!("{build} {} object", name(strongest(&view.colors)))
}

/// Every sentence there is: a few hundred.
fn vocabulary() -> Vec<Feature> {
    let shares = (0..COLOR_BINS).flat_map(|bin| {
        (1..=20).map(move |fives| Feature::ColorShare {
            bin,
            percent: fives * 5,
        })
    });
    let thirds = (0..THIRD_NAMES.len())
        .flat_map(|third| (0..COLOR_BINS).map(move |bin| Feature::ThirdColor { third, bin }));
    let tallness = (1..=99).map(|tenths| Feature::Tallness { tenths });
    let counts = (0..=COLOR_BINS).map(|count| Feature::ColorCount { count });
    let widest = (0..THIRD_NAMES.len()).map(|third| Feature::Widest { third });
    shares
        .chain(thirds)
        .chain(tallness)
        .chain(counts)
        .chain(widest)
        .collect()
}

/// So that "11.2 times" is not read as "1.2 times".
fn starts_a_word(text: &str, index: usize) -> bool {
    !text[..index]
        .ends_with(|character: char| character.is_ascii_alphanumeric() || character == '.')
}

fn name(bin: usize) -> &'static str {
    COLOR_NAMES.get(bin).copied().unwrap_or("gray")
}

fn strongest(colors: &[f32; COLOR_BINS]) -> usize {
    (0..COLOR_BINS)
        .max_by(|a, b| colors[*a].total_cmp(&colors[*b]))
        .unwrap_or_default()
}

fn widest(view: &View) -> usize {
    (0..3)
        .max_by(|a, b| view.widths[*a].total_cmp(&view.widths[*b]))
        .unwrap_or_default()
}

fn color_count(colors: &[f32; COLOR_BINS]) -> usize {
    colors.iter().filter(|share| **share >= 0.08).count()
}

/// The same colour, or the next one on the colour wheel.
fn are_neighbours(a: usize, b: usize) -> bool {
    a == b || (a < 12 && b < 12 && matches!((a + 12 - b) % 12, 1 | 11))
}

/// The share of a colour, with half of its neighbours on the colour wheel.
fn near(colors: &[f32; COLOR_BINS], bin: usize) -> f32 {
    let own = colors[bin];
    if bin >= 12 {
        own
    } else {
        (own + 0.5 * (colors[(bin + 11) % 12] + colors[(bin + 1) % 12])).min(1.0)
    }
}

fn graded(off: f32, yes: f32, partial: f32) -> Match {
    if off <= yes {
        Match::Yes
    } else if off <= partial {
        Match::Partial
    } else {
        Match::No
    }
}
