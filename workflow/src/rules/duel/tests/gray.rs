//! S3: the gate on gray pictures, and what their comparison decides.

use super::*;

#[test]
fn gray_decides_by_a_gap_of_two_without_contradiction() {
    let rescued = |mirrored| {
        gray_rescue(
            &GrayEvidence::Compared(mirrored),
            &DuelThresholds::default(),
        )
    };
    assert_eq!(
        rescued(Mirrored::agreed(3, 5)),
        GrayRescue {
            fired: true,
            choice: Some(A)
        }
    );
    assert_eq!(
        rescued(Mirrored::agreed(8, 5)),
        GrayRescue {
            fired: true,
            choice: Some(B)
        }
    );
    assert_eq!(
        rescued(halves(3.0, 4.5)),
        GrayRescue {
            fired: true,
            choice: None
        }
    );
    let wide = Mirrored {
        a_first: 9,
        b_second: 1,
        a_second: 4,
        b_first: 5,
    };
    assert_eq!(
        rescued(wide).choice,
        None,
        "the orders contradict each other"
    );
    let closed = gray_rescue(&GrayEvidence::GateClosed, &DuelThresholds::default());
    assert_eq!(
        closed,
        GrayRescue {
            fired: false,
            choice: None
        }
    );
}

#[test]
fn the_gate_fires_for_pale_colourless_objects_only() {
    let thresholds = DuelThresholds::default();
    let picture = |pixel: [u8; 4]| -> Vec<u8> { pixel.repeat(64 * 64) };
    let gate =
        |pixel| GrayStatistics::of_picture(64, 4, &picture(pixel), &thresholds).gate(&thresholds);
    assert_eq!(gate([240, 240, 238, 255]), GrayGate::Fires);
    assert_eq!(gate([60, 60, 60, 255]), GrayGate::Closed, "dark");
    assert_eq!(gate([250, 120, 40, 255]), GrayGate::Closed, "colourful");
    assert_eq!(
        gate([128, 140, 146, 255]),
        GrayGate::Closed,
        "background, within 18"
    );
    let sampled = GrayStatistics::of_picture(64, 4, &picture([240, 240, 240, 255]), &thresholds);
    assert_eq!(
        sampled,
        GrayStatistics {
            foreground: 256,
            grayish: 256,
            pale: 256
        }
    );
    let foreground =
        |pixel| GrayStatistics::of_picture(64, 4, &picture(pixel), &thresholds).foreground;
    assert_eq!(
        (
            foreground([128, 140, 146, 255]),
            foreground([128, 140, 147, 255])
        ),
        (0, 256)
    );
    // A tenth pale, the rest grayish: exactly enough.
    let pooled = GrayStatistics {
        foreground: 90,
        grayish: 50,
        pale: 0,
    }
    .and(GrayStatistics {
        foreground: 10,
        grayish: 10,
        pale: 10,
    });
    assert_eq!(pooled.gate(&thresholds), GrayGate::Fires);
    assert_eq!(
        GrayStatistics {
            grayish: 59,
            ..pooled
        }
        .gate(&thresholds),
        GrayGate::Closed
    );
    assert_eq!(
        GrayStatistics::of_picture(0, 3, &[1, 2, 3], &thresholds),
        GrayStatistics::default()
    );
    assert_eq!(
        GrayStatistics::of_picture(8, 2, &[1; 64], &thresholds),
        GrayStatistics::default()
    );
}
