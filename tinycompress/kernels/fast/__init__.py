"""The compiled kernels, under the names that `tinycompress.kernels` uses."""

from .conv import conv2d, conv2d_grad_x, prepare_conv2d
from .conv_weights import conv2d_grad_w
from .depthwise import (
    depthwise_conv2d,
    depthwise_conv2d_grad_w,
    depthwise_conv2d_grad_x,
    prepare_depthwise_conv2d,
)
from .pool import avg_pool2d, avg_pool2d_grad, max_pool2d, max_pool2d_grad, prepare_max_pool2d
