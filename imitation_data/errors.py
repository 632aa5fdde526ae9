"""Every error a user can fix, as one tree.

ImitationDataError
├── RecipeError      the recipe is wrong: all its problems at once
├── SourceError      a source file or record does not have the form its reader expects
├── StepError        a step cannot do its work (a missing model, an impossible mix)
├── CheckError       a check refused the dataset: no version is written (exit code 3)
├── StoreError       a version or the store is missing, broken or in use
├── TeacherError     a teacher cannot be asked: key, quota, model, endpoint, or a request it refuses
├── ExportError      a form cannot hold some of a version's rows: nothing is written (exit code 3)
├── PublishError     a version cannot be published, pulled or withdrawn; nothing is half done
├── TermsError       licences or teachers' terms stop a publish (exit code 3)
├── BudgetError      requests that cost money are not sent without a ceiling (exit code 3)
└── BuildError       the build itself failed: a worker died, or its books do not balance
"""

from collections.abc import Sequence


class ImitationDataError(Exception):
    """Base of every error a user can fix; the command line prints it without a traceback."""

    exit_code = 1


class RecipeError(ImitationDataError):
    """The recipe is wrong.

    Args:
        problems: one sentence each, in the order they stand in the recipe.
        where: the recipe's file, or a word for where it came from.
    """

    def __init__(self, problems: Sequence[str], where: str = "recipe") -> None:
        self.problems = tuple(problems)
        self.where = where
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{where}: {count}\n{lines}")

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...], str]]:
        """Cross process borders with the problems kept apart."""
        return type(self), (self.problems, self.where)


class SourceError(ImitationDataError):
    """A source file or record does not have the form its reader expects."""


class StepError(ImitationDataError):
    """A step cannot do its work."""


class CheckError(ImitationDataError):
    """A check refused the dataset; the message lists each failed check with the rows' ids."""

    exit_code = 3


class StoreError(ImitationDataError):
    """A version or the store is missing, broken or in use."""


class ExportError(ImitationDataError):
    """A form cannot hold some of the rows; the message counts them and says which form can."""

    exit_code = 3


class PublishError(ImitationDataError):
    """A version cannot be published, pulled or withdrawn."""


class TermsError(ImitationDataError):
    """Licences or teachers' terms stop a publish; the message says how a recipe accepts them."""

    exit_code = 3


class TeacherError(ImitationDataError):
    """A teacher cannot be asked; answers that were paid for are in the journal."""


class BudgetError(ImitationDataError):
    """Requests that may cost money are not sent without a ceiling that can be kept."""

    exit_code = 3


class BuildError(ImitationDataError):
    """The build itself failed; running it again resumes at the first unfinished shard."""
