import pytest

from tests.command.far_end import Authority, Issued


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def leaf(authority: Authority) -> Issued:
    return authority.issue()
