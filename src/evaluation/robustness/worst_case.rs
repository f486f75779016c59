//! The pointwise worst case of several attacks: an image counts as right only where it is right under each.

use crate::config::EvaluationAttack;

/// Between the attacks of a worst case in its name.
const BETWEEN: &str = " + ";

/// In front of them.
const BEGINNING: &str = "worst of ";

/// The name of the worst case of `attacks` where a row has an attack's SPEC.
pub fn name(attacks: &[EvaluationAttack]) -> String {
    let specs: Vec<String> = attacks.iter().map(EvaluationAttack::spec).collect();
    format!("{BEGINNING}{}", specs.join(BETWEEN))
}

/// Whether a row's attack is a worst case.
pub fn is_name(attack: &str) -> bool {
    attack.starts_with(BEGINNING)
}

/// The attacks that `attacks` become at each radius of `epsilons` (1/255, ascending), radius by radius;
/// radius 0 is the clean images, which need none. Without radii they stay as they are.
pub fn swept(attacks: &[EvaluationAttack], epsilons: &[f32]) -> Vec<EvaluationAttack> {
    if epsilons.is_empty() {
        return attacks.to_vec();
    }
    let at = |epsilon: &f32| attacks.iter().map(|attack| attack.with_epsilon(*epsilon)).collect::<Vec<_>>();
    epsilons.iter().filter(|epsilon| **epsilon > 0.0).flat_map(at).collect()
}

/// The worst cases to take of `attacks`: of all of them, or where radii are swept, at each radius of those
/// whose ball is no larger. None of a single attack.
pub fn worst_cases(attacks: &[EvaluationAttack], epsilons: &[f32]) -> Vec<Vec<EvaluationAttack>> {
    let within = |epsilon: f32| -> Vec<EvaluationAttack> {
        attacks.iter().filter(|attack| attack.epsilon() <= epsilon).cloned().collect()
    };
    let several = |case: &Vec<EvaluationAttack>| case.len() > 1;
    match epsilons {
        [] => vec![attacks.to_vec()].into_iter().filter(several).collect(),
        all => {
            let kinds: Vec<EvaluationAttack> =
                attacks.iter().map(|attack| attack.with_epsilon(0.0)).collect();
            let single = kinds.windows(2).all(|pair| pair[0] == pair[1]);
            all.iter().map(|epsilon| within(*epsilon)).filter(|case| several(case) && !single).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attacks(specs: &[&str]) -> Vec<EvaluationAttack> {
        specs.iter().map(|spec| EvaluationAttack::parse_spec(spec).unwrap()).collect()
    }

    #[test]
    fn a_sweep_goes_radius_by_radius_and_leaves_the_clean_images_out() {
        let swept = swept(&attacks(&["pgd:eps=4", "square:queries=9"]), &[0.0, 1.0, 2.0]);
        let specs: Vec<String> = swept.iter().map(EvaluationAttack::spec).collect();
        let expected = [
            "pgd:eps=1,step=1,iters=1",
            "square:eps=1,queries=9",
            "pgd:eps=2,step=1,iters=3",
            "square:eps=2,queries=9",
        ];
        assert_eq!(specs, expected);
    }

    #[test]
    fn the_worst_case_at_a_radius_is_of_all_balls_within_it() {
        let two = attacks(&["pgd:eps=4", "square:eps=4"]);
        assert_eq!(worst_cases(&two, &[]), std::slice::from_ref(&two));
        assert_eq!(worst_cases(&two[..1], &[]), Vec::<Vec<EvaluationAttack>>::new());
        let radii = [0.0, 1.0, 2.0];
        let cases = worst_cases(&swept(&two, &radii), &radii);
        assert_eq!(cases.iter().map(Vec::len).collect::<Vec<_>>(), [2, 4]);
        assert!(worst_cases(&swept(&two[..1], &radii), &radii).is_empty(), "one attack alone");
        assert!(is_name(&name(&two)) && !is_name(&two[0].spec()));
    }
}
