"""Prints what Opacus 1.6 and dp-accounting 0.6 say of the subsampled Gaussian: the cases of RenyiAccountantTests.

    pip install --no-deps opacus==1.6.0; pip install dp-accounting==0.6.0; python accountant.py

Opacus sums the series of other than whole orders with their signs, dp-accounting without: an upper bound.
"""
import importlib.util, pathlib, sysconfig
import dp_accounting as dp
from dp_accounting import rdp

path = pathlib.Path(sysconfig.get_paths()["purelib"]) / "opacus/accountants/analysis/rdp.py"
spec = importlib.util.spec_from_file_location("opacus_rdp", path)  # the package itself needs torch
opacus = importlib.util.module_from_spec(spec)
spec.loader.exec_module(opacus)

ORDERS = [1 + x / 10 for x in range(1, 100)] + list(range(11, 64)) + [128, 256, 512, 1024]
for noise, rate, steps, delta in [
    (1.1, 0.01, 1000, 1e-5), (0.8, 0.05, 200, 1e-5), (2.0, 0.25, 64, 1e-6), (4.0, 1.0, 100, 1e-5),
    (0.6, 0.002, 5000, 1e-7), (10.0, 0.5, 3000, 1e-5), (1.0, 0.0123, 1, 1e-4), (0.4, 0.1, 50, 1e-3),
]:
    divergence = opacus.compute_rdp(q=rate, noise_multiplier=noise, steps=steps, orders=ORDERS)
    epsilon, order = opacus.get_privacy_spent(orders=ORDERS, rdp=divergence, delta=delta)
    accountant = rdp.RdpAccountant(ORDERS)
    event = dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise))
    accountant.compose(dp.SelfComposedDpEvent(event, steps))
    print(f"({noise}, {rate}, {steps}, {delta}, {epsilon:.10g}, {order}, {accountant.get_epsilon(delta):.10g}),")
