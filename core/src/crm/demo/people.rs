//! Made-up people whose parts agree: a woman has a woman's surname and patronymic.

use super::random::Random;
use super::words::{Script, latin};

/// A person's name.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub first: &'static str,
    pub middle: Option<String>,
    pub last: String,
    /// The name as it stands in an address.
    pub login: String,
}

const LATIN_FIRST: &[&str] = &[
    "Anna", "Marta", "Liga", "Ilze", "Karin", "Ruta", "Janis", "Andris", "Peeter", "Tomas", "Mart", "Edgars", "Laura",
    "Kristaps", "Greta", "Jonas",
];
const LATIN_LAST: &[&str] = &[
    "Ozols", "Berzins", "Kalnins", "Tamm", "Saar", "Kask", "Lepik", "Mets", "Vitols", "Liepa", "Krumins", "Rebane",
    "Zarins", "Balodis", "Koppel", "Eglitis",
];
/// Russian men: the name, and the patronymic of a son and of a daughter.
const RUSSIAN_MEN: &[(&str, &str, &str)] = &[
    ("Андрей", "Андреевич", "Андреевна"),
    ("Тимур", "Тимурович", "Тимуровна"),
    ("Сергей", "Сергеевич", "Сергеевна"),
    ("Павел", "Павлович", "Павловна"),
    ("Руслан", "Русланович", "Руслановна"),
    ("Олег", "Олегович", "Олеговна"),
    ("Денис", "Денисович", "Денисовна"),
    ("Виктор", "Викторович", "Викторовна"),
    ("Марат", "Маратович", "Маратовна"),
    ("Фёдор", "Фёдорович", "Фёдоровна"),
];
const RUSSIAN_WOMEN: &[&str] =
    &["Айгуль", "Светлана", "Марина", "Дина", "Елена", "Жанна", "Алия", "Ольга", "Инна", "Вера", "Зарина", "Юлия"];
/// Surnames as a man bears them; a woman's ends in `а`.
const RUSSIAN_LAST: &[&str] = &[
    "Ахметов",
    "Крылов",
    "Сафин",
    "Белов",
    "Юсупов",
    "Громов",
    "Калинин",
    "Исаев",
    "Рябов",
    "Каримов",
    "Фролов",
    "Ершов",
    "Галиев",
    "Зимин",
    "Лобанов",
    "Назаров",
];
const UKRAINIAN_FIRST: &[&str] = &[
    "Оксана",
    "Ярослав",
    "Тарас",
    "Наталія",
    "Богдан",
    "Ірина",
    "Остап",
    "Леся",
    "Назар",
    "Уляна",
    "Юрій",
    "Соломія",
    "Дмитро",
    "Катерина",
    "Євген",
    "Ганна",
];
const UKRAINIAN_LAST: &[&str] = &[
    "Ковальчук",
    "Гнатюк",
    "Бойко",
    "Мельник",
    "Шевчук",
    "Лисенко",
    "Кравець",
    "Поліщук",
    "Романюк",
    "Дячук",
    "Їжакевич",
    "Савчук",
    "Гончар",
    "Юрченко",
    "Білоус",
    "Ткач",
];

impl Person {
    /// Draws a person of a region.
    pub(super) fn draw(random: &mut Random, script: Script) -> Self {
        let (first, middle, last) = match script {
            Script::Latin => (random.pick(LATIN_FIRST), None, random.pick(LATIN_LAST).to_owned()),
            // Ukrainian surnames of these endings are the same for women and men.
            Script::Ukrainian => (random.pick(UKRAINIAN_FIRST), None, random.pick(UKRAINIAN_LAST).to_owned()),
            Script::Russian => {
                let (_, son_of, daughter_of) = random.pick(RUSSIAN_MEN);
                let last = random.pick(RUSSIAN_LAST);
                if random.up_to(1) == 0 {
                    (random.pick(RUSSIAN_MEN).0, Some(son_of.to_owned()), last.to_owned())
                } else {
                    (random.pick(RUSSIAN_WOMEN), Some(daughter_of.to_owned()), format!("{last}а"))
                }
            }
        };
        let login = format!("{}.{}", latin(first), latin(&last));
        Self { first, middle, last, login }
    }

    /// First and last name.
    pub(super) fn full_name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }
}
