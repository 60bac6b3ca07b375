"""Linear interpolation of a frame from its context, and what no interpolation can tell."""

import numpy as np


def unfold_rows(contexts: np.ndarray, rows: int) -> np.ndarray:
    """Put the contexts of the `rows` rows around each row side by side.

    Parameters
    ----------
    contexts : numpy.ndarray, shape (images, image rows, features)
    rows : int
        Odd; rows beyond the image are zero.

    Returns
    -------
    numpy.ndarray, shape (images, image rows, rows x features)
    """
    reach = rows // 2
    padded = np.pad(contexts, ((0, 0), (reach, reach), (0, 0)))
    height = contexts.shape[1]
    return np.concatenate([padded[:, shift : shift + height] for shift in range(rows)], axis=-1)


class LinearInterpolation:
    """Ridge regression of a frame on its context: the best a linear interpolation can do.

    Fed batch by batch through its normal equations, so that memory does not grow with the data.

    Parameters
    ----------
    rows : int
        Rows of context around each row, odd.
    features, columns : int
        Features and targets of one row; features of frame after frame, column after column.
    own_column : bool, default: False
        Tell each column from its own features alone.
    """

    # Relative to the mean diagonal of the normal equations: small enough to let a band-limited
    # signal be interpolated as exactly as it can be.
    _REGULARIZATION = 1e-5

    def __init__(self, rows: int, features: int, columns: int, own_column: bool = False):
        self.rows, self.columns, self.own_column = rows, columns, own_column
        size = rows * features
        self._gram = np.zeros((columns, size, size))
        self._moment = np.zeros((columns, size))

    def add(self, contexts: np.ndarray, targets: np.ndarray, mask: np.ndarray) -> None:
        """Add a batch.

        Parameters
        ----------
        contexts : numpy.ndarray, shape (images, image rows, features)
        targets, mask : numpy.ndarray, shape (images, image rows, columns)
        """
        unfolded = unfold_rows(contexts, self.rows)
        shared = unfolded.reshape(-1, unfolded.shape[-1])
        gram = shared.T @ shared if mask.all() else None
        for column in range(self.columns):
            valid = mask[..., column].astype(bool)
            inputs = shared if gram is not None else unfolded[valid]
            self._gram[column] += gram if gram is not None else inputs.T @ inputs
            self._moment[column] += inputs.T @ targets[..., column][valid]

    def kernel(self) -> np.ndarray:
        """Solve for the weights: float32, shape (rows, features, columns)."""
        kernel = np.zeros((self._gram.shape[1], self.columns), np.float32)
        for column in range(self.columns):
            seen = slice(column, None, self.columns) if self.own_column else slice(None)
            gram, moment = self._gram[column, seen, seen], self._moment[column, seen]
            ridge = self._REGULARIZATION * max(np.trace(gram) / len(gram), 1e-12)
            kernel[seen, column] = np.linalg.solve(gram + ridge * np.eye(len(gram)), moment)
        return kernel.reshape(self.rows, -1, self.columns)


def noise_floor(residual: np.ndarray, mask: np.ndarray, rows: int) -> float:
    """Estimate the part of a loss that no network can take away.

    What linear interpolation in time leaves over is regressed on what it leaves over on the
    neighbouring contacts in the same frame, which the network does not see. What even they do
    not tell is taken to be noise of the contact and frame alone.

    Parameters
    ----------
    residual, mask : numpy.ndarray, shape (images, image rows, columns)
        Left over by linear interpolation; whether the pixel counts.
    rows : int
        Rows of neighbours, odd.

    Returns
    -------
    float
        Mean squared error.
    """
    neighbours = unfold_rows(residual, rows)
    columns = residual.shape[-1]
    squared, count = 0.0, 0
    for column in range(columns):
        own = rows // 2 * columns + column
        valid = mask[..., column].astype(bool)
        inputs = np.delete(neighbours, own, axis=-1)[valid]
        targets = residual[..., column][valid]
        weights = np.linalg.lstsq(inputs, targets, rcond=None)[0]
        squared += float(np.square(targets - inputs @ weights).sum())
        count += len(targets)
    return squared / count


def interpolate_linearly(kernel: np.ndarray, contexts: np.ndarray) -> np.ndarray:
    """Predict targets (images, image rows, columns) from contexts with a ridge kernel."""
    rows, _, columns = kernel.shape
    return unfold_rows(contexts, rows) @ kernel.reshape(-1, columns)
