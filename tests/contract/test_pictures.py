"""The pictures in the READMEs of the use cases: there, and what the templates say."""

from pathlib import Path

import pytest

from fanout_cli.generate.topology_pictures import BEGIN, END, drawn, picture

ROOT = Path(__file__).parents[2]
READMES = sorted(ROOT.glob("usecases/*/README.md"))


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_the_picture_in_a_readme_is_that_of_its_template(readme: Path) -> None:
    text = readme.read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert drawn(text, picture(ROOT, readme.parent.name)) == text, "templates have changed: run `make generate`"


def test_a_picture_shows_every_delivery_every_filter_and_the_unrouted_queue() -> None:
    lines = picture(ROOT, "user_interactions").splitlines()
    assert '    UserInteractions -- "post.liked.v1, post.unliked.v1" --> f_likes["likes"]' in lines
    assert '    f_likes <-. "retries" .-> LikesQueue[("LikesQueue")]' in lines
    assert '    UserInteractions -- "any other type" --> Unrouted[("Unrouted")]' in lines
    lines = picture(ROOT, "application_logs").splitlines()
    by_level = "log.entry.v1<br/>data.level: WARNING, ERROR, CRITICAL"
    assert f'    ApplicationLogs -- "{by_level}" --> MonitoringQueue[("MonitoringQueue")]' in lines
    assert '    MonitoringQueue --> f_monitor["monitor"]' in lines


def test_nothing_of_a_readme_but_its_picture_changes() -> None:
    readme = f"# title\n\n{BEGIN}\nold\n{END}\n\nrest \\1\n"
    assert drawn(readme, f"{BEGIN}\nnew \\g<0>\n{END}") == f"# title\n\n{BEGIN}\nnew \\g<0>\n{END}\n\nrest \\1\n"
    assert drawn("no marks", "picture") == "no marks"
