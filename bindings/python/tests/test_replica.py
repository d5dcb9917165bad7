"""What only this package has, and values, errors and streams as Python sees them."""

import asyncio
import resource
import sys
import tempfile
import unittest
from pathlib import Path

import hub  # noqa: F401  (finds the package)

import branchline
from branchline import crm
from branchline import Edit, Query, Replica, ReplicaError, Value, Write, text, typed


# Of opening, asking and closing: enough for anything that is kept to show.
CYCLES = 10_000


class OwnFolder(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)
        self.path = str(Path(self.home.name) / "hub")
        self.replica = Replica.found(self.path, "Kestrel", "owner@kestrel.example")
        self.addCleanup(self.replica.close)

    def test_values_keep_their_types(self):
        place = Value.LOCATION(latitude=50.4501, longitude=30.5234)
        account = self.replica.create(
            "account",
            {
                "name": Value.TEXT(text="Ада і Ко"),
                "employees": Value.INTEGER(number=12),
                "annual_revenue": Value.MONEY(amount="1054.5", currency="EUR"),
                "phones": Value.SET(items=[branchline.Item(value="+380441234567"), branchline.Item(value="second line")]),
                "location": place,
                "vip": Value.BOOLEAN(yes=True),
                "left_on": Value.DATE(day="2026-03-01"),
                "website": Value.EMPTY(),
            },
        )
        values = {field.name: field.value for field in self.replica.get("account", account).fields}
        self.assertEqual(values["annual_revenue"], Value.MONEY(amount="1054.50", currency="EUR"))
        self.assertEqual({item.value for item in values["phones"].items}, {"+380441234567", "second line"})
        self.assertEqual((values["location"], values["employees"].number, values["vip"].yes), (place, 12, True))
        self.assertEqual(values["left_on"].day, "2026-03-01")
        self.assertNotIn("website", values)
        self.replica.edit("account", account, [Edit.REMOVE(field="phones", item="second line")])
        phones = next(f.value for f in self.replica.get("account", account).fields if f.name == "phones")
        self.assertEqual([item.value for item in phones.items], ["+380441234567"])

    def test_the_built_in_collections_have_typed_fields(self):
        card = crm.Account()
        card.name, card.employees, card.phones = "Epsilon", 12, ["+380441234567"]
        card.annual_revenue = Value.MONEY(amount="1054.50", currency="EUR")
        card.location = Value.LOCATION(latitude=50.45, longitude=30.52)
        id = self.replica.save(card)
        read = self.replica.cards(crm.Account)[0]
        self.assertEqual((read.name, read.employees, read.phones), ("Epsilon", 12, ["+380441234567"]))
        self.assertEqual((read.annual_revenue, read.location.latitude), (card.annual_revenue, 50.45))
        self.assertIsNone(read.website)
        self.assertEqual(self.replica.save(read), id, "nothing was set")
        read.employees, read.city = None, "Lviv"
        self.assertEqual((read.employees, read.city), (None, "Lviv"), "it reads as it was set")
        self.assertEqual(self.replica.save(read), id)
        again = crm.Account(self.replica.get("account", id))
        self.assertEqual((again.employees, again.city, again.name), (None, "Lviv", "Epsilon"))
        self.assertEqual(len(self.replica.history("account", id)), 2)

    def test_typed_fields_are_those_of_the_schema(self):
        for collection in self.replica.schema():
            kind = getattr(crm, "".join(part.capitalize() for part in collection.name.split("_")))
            self.assertEqual(kind.collection_name, collection.name)
            for field in collection.fields:
                self.assertIsNone(getattr(kind(), field.name), f"{collection.name}.{field.name}")

    def test_a_value_of_another_type_is_refused(self):
        for field, value in {
            "employees": Value.TEXT(text="twelve"),
            "name": Value.INTEGER(number=7),
            "location": Value.LOCATION(latitude=float("nan"), longitude=0.0),
            "left_on": Value.DATE(day="yesterday"),
        }.items():
            with self.assertRaises(ReplicaError.Invalid) as caught:
                self.replica.create("account", {**typed(name="Alpha"), field: value})
            self.assertEqual(caught.exception.code, "wrong_type", field)
        self.assertEqual(self.replica.count(Query(collection="account")), 0)

    def test_writes_of_a_transaction_refer_to_each_other(self):
        account, contact = self.replica.transact(
            [
                Write.CREATE(collection="account", values=typed(name="Alpha")),
                Write.CREATE(
                    collection="contact",
                    values={**typed(last_name="Ковальчук"), "account": Value.CREATED(write=0)},
                ),
            ]
        )
        self.assertEqual(text(self.replica.get("contact", contact), "account"), "Alpha")
        with self.assertRaises(ReplicaError.NotFound):
            self.replica.transact(
                [
                    Write.ARCHIVE(collection="account", record=account, archived=True),
                    Write.CREATE(collection="account", values=typed(colour="red")),
                ]
            )
        self.assertFalse(self.replica.get("account", account).archived, "nothing of it stays")

    def test_a_keyed_record_is_made_once(self):
        write = Write.CREATE(collection="account", values=typed(name="Alpha", external_id="X7"), key=["external_id"])
        self.assertEqual(self.replica.transact([write]), self.replica.transact([write]))
        self.assertEqual(self.replica.count(Query(collection="account")), 1)

    def test_a_watch_is_an_async_iterator(self):
        async def story():
            sizes = []
            async for page in self.replica.watch(Query(collection="account")):
                sizes.append(len(page.records))
                if len(page.records) == 2:
                    return sizes
                await asyncio.to_thread(self.replica.create, "account", typed(name=f"Company {len(sizes)}"))
            return sizes

        self.assertEqual(asyncio.run(asyncio.wait_for(story(), 30)), [0, 1, 2])

    def test_closing_a_replica_ends_its_watches(self):
        async def story():
            pages = []

            async def follow():
                async for page in self.replica.watch(Query(collection="account")):
                    pages.append(page)
                    told.set()

            told = asyncio.Event()
            following = asyncio.create_task(follow())
            await asyncio.wait_for(told.wait(), 20)
            await asyncio.to_thread(self.replica.close)
            await asyncio.wait_for(following, 20)
            self.assertEqual(len(pages), 1)
            with self.assertRaises(ReplicaError) as failed:
                await anext(self.replica.watch(Query(collection="account")))
            self.assertEqual(failed.exception.code, "replica_closed")

        asyncio.run(story())

    def test_labels_and_errors_come_in_the_chosen_language(self):
        account = self.replica.create("account", typed(name="Alpha", industry="retail"))
        with Replica.open(self.path, language="uk") as other:
            field = next(f for f in other.get("account", account).fields if f.name == "industry")
            self.assertEqual((field.label, field.value.text), ("Галузь", "retail"))
            self.assertNotEqual(field.text, "retail")
            with self.assertRaises(ReplicaError.NotFound) as caught:
                other.get("account", "name=Nobody")
            self.assertRegex(caught.exception.what, "[а-яіїєґ]")

    def test_the_schema_is_enough_to_build_forms(self):
        account = next(c for c in self.replica.schema() if c.name == "account")
        fields = {field.name: field for field in account.fields}
        self.assertTrue(account.shared and fields["name"].required)
        self.assertEqual((fields["parent"].target, fields["name"].labels.ru), ("account", "Название"))
        self.assertTrue(all(choice.labels.uk for choice in fields["industry"].choices))
        lines = next(c for c in self.replica.schema() if c.name == "opportunity").fields
        self.assertIn("product", [column.name for f in lines if f.name == "lines" for column in f.columns])

    def test_a_day_has_what_is_late_planned_and_done(self):
        day = 24 * 3600 * 1000
        begin = 1_790_000_000_000 // day * day
        alpha = self.replica.create("account", typed(name="Alpha", city="Kyiv", phones="+380441234567"))

        def visit(subject, at, **more):
            values = {"starts_at": Value.INSTANT(ms=at), "account": Value.REFERENCE(id=alpha)}
            return self.replica.create("activity", {**typed(kind="visit", subject=subject, **more), **values})

        visit("late", begin - 1)
        visit("second", begin + 2)
        visit("first", begin)
        visit("tomorrow", begin + day)
        done = visit("done", begin + 1)
        self.replica.set("activity", done, {"done_at": Value.INSTANT(ms=begin + 5)})
        agenda = self.replica.my_day(begin, begin + day)
        names = lambda entries: [entry.activity.title for entry in entries]  # noqa: E731
        self.assertEqual(
            (names(agenda.late), names(agenda.planned), names(agenda.done)), (["late"], ["first", "second"], ["done"])
        )
        client = agenda.planned[0].client
        self.assertEqual((client.name, client.address, client.phones), ("Alpha", "Kyiv", ["+380441234567"]))

    def test_reports_have_titles_rows_and_charts(self):
        self.replica.create("opportunity", typed(name="First order", stage="won", amount="99.90 EUR"))
        funnel = self.replica.report("funnel")
        self.assertTrue(funnel.title and funnel.rows and len(funnel.rows[0]) == len(funnel.columns))
        self.assertEqual(self.replica.report("funnel", since="today-1d").rows, funnel.rows)
        self.assertEqual(self.replica.report("funnel", until="2000-01-01").rows, [])
        chart = self.replica.report_chart("funnel")
        self.assertTrue(chart.startswith("<svg") and "Won" in chart)
        self.assertNotEqual(self.replica.report_chart("funnel", until="2000-01-01"), chart)
        with self.assertRaises(ReplicaError.NotFound):
            self.replica.report("weather")

    def test_a_file_is_taken_in_first_and_put_into_a_record_later(self):
        path = Path(self.home.name) / "offer.txt"
        path.write_text("120 EUR", encoding="utf-8")
        told = []
        file = self.replica.attach(str(path), "text/plain", "Offer", lambda done, total: told.append((done, total)))
        self.assertEqual((file.name, file.size, told[-1]), ("Offer", 7, (7, 7)))
        self.replica.create("attachment", {"name": Value.TEXT(text="Offer"), "file": Value.ATTACHMENT(file=file)})
        self.assertEqual(self.replica.read_attachment(file.hash), b"120 EUR")

    def test_every_call_of_the_engine_is_one_of_the_package(self):
        calls = {name for name in dir(branchline.BlockingReplica) if not name.startswith("_")}
        self.assertGreater(len(calls), 40)
        # Closing is `close` here.
        self.assertEqual(calls - set(dir(Replica)), {"shut", "is_shut"})

    def test_a_key_that_is_none_and_one_that_cannot_be_had_are_told(self):
        def locked():
            raise RuntimeError("the keystore is locked")

        hidden = str(Path(self.home.name) / "hidden")
        with Replica.found(hidden, "Kestrel", key=lambda: bytes(32)) as replica:
            self.assertTrue(replica.is_encrypted())
        with self.assertRaises(ReplicaError.Invalid) as caught:
            Replica.open(hidden, key=lambda: b"short")
        self.assertEqual(caught.exception.code, "key_length")
        with self.assertRaises(ReplicaError.Locked) as caught:
            Replica.open(hidden, key=locked)
        self.assertEqual(caught.exception.code, "key_not_given")
        self.assertIn("the keystore is locked", caught.exception.what)
        self.assertFalse(self.replica.is_encrypted())

    def test_a_hub_has_nothing_to_sync_with(self):
        with self.assertRaises(ReplicaError.Usage) as caught:
            self.replica.start_sync()
        self.assertEqual(caught.exception.code, "no_upstream")

    def test_the_package_knows_its_version(self):
        self.assertRegex(branchline.version(), r"^\d+\.\d+\.\d+")

    def test_opening_and_closing_again_and_again_keeps_nothing(self):
        self.replica.create("account", typed(name="Alpha"))
        self.replica.close()

        def cycles(count):
            for _ in range(count):
                with Replica.open(self.path) as replica:
                    self.assertEqual(replica.count(Query(collection="account")), 1)
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        warm_kib = cycles(CYCLES // 4)
        grown_kib = cycles(CYCLES - CYCLES // 4) - warm_kib
        print(f"{CYCLES} cycles, of which the last three quarters cost {grown_kib} KiB", file=sys.stderr)
        self.assertLess(grown_kib, 8 * 1024)


if __name__ == "__main__":
    unittest.main()
