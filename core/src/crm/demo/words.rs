//! The words that names are made of: offices, services, companies.

use super::random::Random;

/// The writing and customs of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// Latin letters.
    Latin,
    /// Russian.
    Russian,
    /// Ukrainian.
    Ukrainian,
}

/// A regional office.
#[derive(Debug)]
pub(super) struct Office {
    pub code: &'static str,
    pub name: &'static str,
    pub region: &'static str,
    pub country: &'static str,
    pub script: Script,
    pub phone_prefix: &'static str,
    pub tax_prefix: &'static str,
    /// Where its clients sit.
    pub cities: &'static [&'static str],
}

pub(super) const OFFICES: [Office; 3] = [
    Office {
        code: "riga",
        name: "Riga",
        region: "Baltics",
        country: "Latvia",
        script: Script::Latin,
        phone_prefix: "+3712",
        tax_prefix: "LV401",
        cities: &["Riga", "Jelgava", "Liepaja", "Tallinn", "Tartu", "Vilnius", "Kaunas"],
    },
    Office {
        code: "almaty",
        name: "Алматы",
        region: "Средняя Азия",
        country: "Казахстан",
        script: Script::Russian,
        phone_prefix: "+7701",
        tax_prefix: "120",
        cities: &["Алматы", "Астана", "Караганда", "Шымкент", "Бишкек", "Ташкент"],
    },
    Office {
        code: "kyiv",
        name: "Київ",
        region: "Україна",
        country: "Україна",
        script: Script::Ukrainian,
        phone_prefix: "+38067",
        tax_prefix: "3",
        cities: &["Київ", "Львів", "Одеса", "Дніпро", "Вінниця", "Полтава", "Чернівці"],
    },
];

/// A service of the carrier.
#[derive(Debug)]
pub(super) struct Product {
    pub sku: &'static str,
    pub name: &'static str,
    pub family: &'static str,
    pub unit: &'static str,
    /// In cents.
    pub price_minor: i64,
}

const fn product(
    sku: &'static str,
    name: &'static str,
    family: &'static str,
    unit: &'static str,
    price_minor: i64,
) -> Product {
    Product { sku, name, family, unit, price_minor }
}

pub(super) const PRODUCTS: &[Product] = &[
    product("DOC-24", "Documents next day", "Express", "envelope", 1_450),
    product("PAR-24", "Parcel next day", "Express", "parcel", 2_390),
    product("PAR-72", "Parcel economy", "Economy", "parcel", 1_190),
    product("PAL-72", "Pallet by road", "Freight", "pallet", 11_900),
    product("AIR-48", "Air freight", "Freight", "kg", 640),
    product("CLD-24", "Cold chain next day", "Special", "box", 5_900),
    product("DGR-48", "Dangerous goods", "Special", "parcel", 8_750),
    product("CUS-01", "Customs clearance", "Services", "declaration", 4_500),
    product("STO-30", "Storage", "Services", "pallet month", 1_800),
];

pub(super) const SUBJECTS: &[&str] = &[
    "Six-week call",
    "New lanes and prices",
    "Late delivery: what was done",
    "Invoice question",
    "Pick-up times",
    "Квартальный обзор",
    "Новый тариф на паллеты",
    "Забор груза по расписанию",
    "Нові тарифи",
    "Звірка рахунків",
];

/// A made-up client.
#[derive(Debug, Clone)]
pub(super) struct Company {
    pub name: String,
    pub legal_name: String,
    pub domain: String,
}

const LATIN_FIRST: &[&str] = &[
    "Amber",
    "Baltic",
    "Nord",
    "Daugava",
    "Juniper",
    "Harbour",
    "Pine",
    "Silver",
    "Lighthouse",
    "Granite",
    "Birch",
    "Osprey",
    "Heron",
    "Meridian",
    "Tidal",
    "Copper",
    "Linden",
    "Quay",
    "Sable",
    "Northgate",
    "Willow",
    "Ferry",
];
const LATIN_SECOND: &[&str] = &[
    "Foods",
    "Textiles",
    "Pharma",
    "Components",
    "Optics",
    "Print",
    "Timber",
    "Dental",
    "Electronics",
    "Ceramics",
    "Apparel",
    "Instruments",
    "Bakery",
    "Packaging",
    "Books",
    "Marine",
    "Tools",
    "Furniture",
];
const RUSSIAN_FIRST: &[&str] = &[
    "Северный",
    "Степной",
    "Горный",
    "Новый",
    "Первый",
    "Алтын",
    "Восточный",
    "Светлый",
    "Речной",
    "Городской",
    "Тихий",
    "Зелёный",
    "Белый",
    "Ясный",
    "Южный",
    "Добрый",
    "Дальний",
    "Звёздный",
];
const RUSSIAN_SECOND: &[&str] = &[
    "берег",
    "путь",
    "мир",
    "дом",
    "век",
    "свет",
    "ключ",
    "парус",
    "завод",
    "двор",
    "стан",
    "круг",
    "полюс",
    "склад",
    "причал",
    "рассвет",
    "мост",
    "маяк",
];
const UKRAINIAN_FIRST: &[&str] = &[
    "Зелена",
    "Нова",
    "Перша",
    "Срібна",
    "Добра",
    "Світла",
    "Ясна",
    "Карпатська",
    "Дніпровська",
    "Степова",
    "Золота",
    "Висока",
    "Тиха",
    "Рідна",
    "Сонячна",
    "Весняна",
];
const UKRAINIAN_SECOND: &[&str] = &[
    "гора",
    "справа",
    "хвиля",
    "нива",
    "брама",
    "криниця",
    "стежка",
    "долина",
    "зірка",
    "майстерня",
    "садиба",
    "пекарня",
    "книгарня",
    "мапа",
    "вежа",
    "їжа",
];
const KINDS: [&[&str]; 3] = [
    &["Trading", "Group", "Supply", "Works", "Partners", "Lab"],
    &["Трейд", "Сервис", "Комплект", "Снаб", "Мед", "Тех"],
    &["Трейд", "Сервіс", "Постач", "Буд", "Мед", "Тех"],
];

/// A company name of the region, with its legal form and a web address.
pub(super) fn company(random: &mut Random, script: Script) -> Company {
    let (first, second, kinds, forms): (&[&str], &[&str], &[&str], &[&str]) = match script {
        Script::Latin => (LATIN_FIRST, LATIN_SECOND, KINDS[0], &["SIA", "UAB", "OÜ", "AS"]),
        Script::Russian => (RUSSIAN_FIRST, RUSSIAN_SECOND, KINDS[1], &["ТОО", "ООО", "АО"]),
        Script::Ukrainian => (UKRAINIAN_FIRST, UKRAINIAN_SECOND, KINDS[2], &["ТОВ", "ПП", "ПрАТ"]),
    };
    let mut name = format!("{} {}", random.pick(first), random.pick(second));
    if random.up_to(2) > 0 {
        name = format!("{name} {}", random.pick(kinds));
    }
    let form = random.pick(forms);
    let legal_name = match script {
        Script::Latin => format!("{form} {name}"),
        _ => format!("{form} «{name}»"),
    };
    let domain = format!("{}{}.example", latin(&name), 10 + random.up_to(89));
    Company { name, legal_name, domain }
}

/// Cyrillic as Latin letters, for addresses; everything but letters and digits is left out.
pub(super) fn latin(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        out.push_str(match c {
            'а' => "a",
            'б' => "b",
            'в' => "v",
            'г' | 'ґ' => "g",
            'д' => "d",
            'е' | 'ё' | 'э' | 'є' => "e",
            'ж' => "zh",
            'з' => "z",
            'и' | 'й' | 'і' | 'ї' | 'ы' => "i",
            'к' => "k",
            'л' => "l",
            'м' => "m",
            'н' => "n",
            'о' => "o",
            'п' => "p",
            'р' => "r",
            'с' => "s",
            'т' => "t",
            'у' => "u",
            'ф' => "f",
            'х' => "h",
            'ц' => "c",
            'ч' => "ch",
            'ш' | 'щ' => "sh",
            'ю' => "yu",
            'я' => "ya",
            _ => "",
        });
        if c.is_ascii_alphanumeric() {
            out.push(c);
        }
    }
    out
}

impl Script {
    /// What people are at their companies.
    pub(super) fn jobs(self) -> &'static [&'static str] {
        match self {
            Script::Latin => &["Logistics manager", "Buyer", "Office manager", "Director", "Warehouse lead"],
            Script::Russian => &["Логист", "Закупщик", "Офис-менеджер", "Директор", "Кладовщик"],
            Script::Ukrainian => &["Логіст", "Закупівельниця", "Офіс-менеджер", "Директорка", "Комірник"],
        }
    }

    /// Why deals are lost.
    pub(super) fn refusals(self) -> &'static [&'static str] {
        match self {
            Script::Latin => &["price", "took another carrier", "no budget this year", "lane not served"],
            Script::Russian => &["дорого", "выбрали другого перевозчика", "нет бюджета", "нет направления"],
            Script::Ukrainian => &["дорого", "обрали іншого перевізника", "немає бюджету", "немає напрямку"],
        }
    }
}
