"""Subgroups of the test images: facts of the collection's table."""

import pandas as pd

from companion import studies
from companion.build import __main__ as build
from companion.studies import subgroups


def test_the_recorded_table_is_the_collections(real_data, tmp_path):
    table = subgroups.table(real_data)
    recorded = pd.read_csv(studies.results_folder() / subgroups.FILE, dtype=str)
    pd.testing.assert_frame_equal(
        table.astype(object).where(table.notna(), None),
        recorded.astype(object).where(recorded.notna(), None),
    )
    later = next((real_data / "covid-chestxray-dataset").glob("metadata-2020-05-04-*.csv"))
    raw = (
        pd.read_csv(later)
        .drop_duplicates("filename")
        .assign(
            image_id=lambda rows: "covid-chestxray/" + rows["filename"].str.rsplit(".", n=1).str[0]
        )
    )
    both = table.merge(raw, on="image_id", suffixes=("", "_raw"))
    assert (
        len(both) > 200
        and both["sex"].fillna("").eq(both["sex_raw"].fillna("")).all()
        and both["view"].eq(both["view_raw"]).all()
    )
    assert both["age"].isna().equals(both["age_raw"].isna())
    known = both.dropna(subset=["age"])
    first = known["age"].map(subgroups.BANDS)
    after = known["age"].map(
        dict(zip(subgroups.BANDS, [*list(subgroups.BANDS.values())[1:], 200], strict=True))
    )
    assert ((first <= known["age_raw"]) & (known["age_raw"] < after)).all()


def test_every_covid_image_of_the_recorded_runs_is_in_it():
    recorded = set(pd.read_csv(studies.results_folder() / subgroups.FILE, dtype=str)["image_id"])
    for name in ("zhu-fourclass", "zhu-binary", "azemin-standin-resnet50"):
        tested = studies.run(name).predictions
        assert set(tested.loc[tested["y_true"] == "covid", "image_id"]) <= recorded


def test_without_the_collection_the_table_is_one_line(tmp_path, capsys):
    assert (
        build.main(["table", "subgroups/covid-chestxray", "--data", str(tmp_path)]) == 2
        and len(capsys.readouterr().err.splitlines()) == 1
    )
