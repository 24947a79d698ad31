//! Upper and lower case of the alphabets that have them in rows or pairs, by rule.
//!
//! The standard library's tables know every letter, also those that become two (ß), and are 10 KiB of the page's wasm.

/// Letters and texts in upper and lower case.
pub trait Case {
    /// What it becomes.
    type Cased;
    /// In small letters; what has none stays.
    fn lower(&self) -> Self::Cased;
    /// In large letters; what has none stays.
    fn upper(&self) -> Self::Cased;
}

impl Case for str {
    type Cased = String;

    fn lower(&self) -> String {
        self.chars().map(|c| c.lower()).collect()
    }

    fn upper(&self) -> String {
        self.chars().map(|c| c.upper()).collect()
    }
}

impl Case for char {
    type Cased = char;

    fn lower(&self) -> char {
        let c = *self;
        let small = match c {
            'A'..='Z' | 'À'..='Ö' | 'Ø'..='Þ' | 'Α'..='Ρ' | 'Σ'..='Ϋ' | 'А'..='Я' => u32::from(c) + 32,
            'Ѐ'..='Џ' => u32::from(c) + 80,
            _ if is_paired(c) && is_first(c) => u32::from(c) + 1,
            _ => return c,
        };
        char::from_u32(small).unwrap_or(c)
    }

    fn upper(&self) -> char {
        let c = *self;
        let large = match c {
            'a'..='z' | 'à'..='ö' | 'ø'..='þ' | 'α'..='ρ' | 'σ'..='ϋ' | 'а'..='я' => u32::from(c) - 32,
            'ѐ'..='џ' => u32::from(c) - 80,
            'ς' => return 'Σ',
            'ÿ' => return 'Ÿ',
            _ if is_paired(c) && !is_first(c) => u32::from(c) - 1,
            _ => return c,
        };
        char::from_u32(large).unwrap_or(c)
    }
}

/// Letters of Latin Extended-A and Cyrillic that stand in pairs, the large one first.
fn is_paired(c: char) -> bool {
    matches!(c, 'Ā'..='į' | 'Ĳ'..='ķ' | 'Ĺ'..='ň' | 'Ŋ'..='ŷ' | 'Ź'..='ž' | 'Ѡ'..='ҁ' | 'Ҋ'..='ҿ' | 'Ӑ'..='ԯ')
}

/// Whether the letter is the large one of its pair: the one at the even place, except in two runs.
fn is_first(c: char) -> bool {
    let odd = matches!(c, 'Ĺ'..='ň' | 'Ź'..='ž');
    (u32::from(c) % 2 == 1) == odd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_standard_library_has_it() {
        // What has no rule here: letters that become several, that lie alone, or whose pair is elsewhere.
        let unknown = ['ß', 'İ', 'ı', 'ŉ', 'ſ', 'µ', 'Ÿ'];
        let latin = ('\0'..='ſ')
            .chain('Α'..='ω')
            .chain('Ѐ'..='ҁ')
            .chain('Ҋ'..='ҿ')
            .chain('Ӑ'..='ԯ')
            .chain('一'..='丿');
        for c in latin.filter(|c| !unknown.contains(c) && !matches!(c, 'ά'..='ΰ' | 'ΐ')) {
            assert_eq!(
                c.lower().to_string(),
                c.to_lowercase().to_string(),
                "{c} in small letters"
            );
            assert_eq!(
                c.upper().to_string(),
                c.to_uppercase().to_string(),
                "{c} in large letters"
            );
        }
    }

    #[test]
    fn texts() {
        assert_eq!(
            "Deployment ÄÖÜ Привет ΣΑΣ 集群".lower(),
            "deployment äöü привет σασ 集群"
        );
        assert_eq!("deployment äöü привет ς 集群".upper(), "DEPLOYMENT ÄÖÜ ПРИВЕТ Σ 集群");
    }
}
